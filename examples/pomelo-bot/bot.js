// Repeats what follows "!echo", with a client that was written for pomelo.
// Usage: node bot.js [host:port] [room]
const Pomelo = require("pomelo-client-websocket");

const [server = "127.0.0.1:3014", rid = "lobby"] = process.argv.slice(2);
const username = "pomelo-bot";
const at = server.lastIndexOf(":");

// The gate says where to connect: at the same address, unless --pomelo-entry has
// another one.
const gate = new Pomelo();
gate.init({ host: server.slice(0, at), port: Number(server.slice(at + 1)) }, () => {
  gate.request("gate.gateHandler.queryEntry", { uid: username }, ({ code, host, port }) => {
    gate.disconnect();
    if (code === 200) chat(host, port);
    else console.error("the gate refuses");
  });
});

function chat(host, port) {
  const client = new Pomelo();
  const started = Date.now();
  let seen = 0; // what comes again after a cut may have been seen

  client.on("onChat", ({ msg, from, target, seq, time }) => {
    if (seq <= seen) return;
    seen = seq;
    if (time < started || from === username || !msg.startsWith("!echo ")) return;
    // A private request gets a private answer.
    const answer = { content: msg.slice("!echo ".length), target: target === "*" ? "*" : from };
    client.request("chat.chatHandler.send", answer, ({ code, message }) => {
      if (code !== 200) console.error(`not answered: ${message}`);
    });
  });
  client.on("onKick", () => console.error("the server ends the connection"));

  // Called again after each reconnect.
  client.init({ host, port, reconnect: true, maxReconnectAttempts: 1000 }, () => {
    client.request("connector.entryHandler.enter", { username, rid }, ({ users, message }) => {
      if (users) console.log(`entered ${rid} with ${users.join(", ")}`);
      else console.error(`not entered: ${message}`);
    });
  });
}
