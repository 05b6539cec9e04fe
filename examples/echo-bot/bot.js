// Repeats what follows "!echo". Usage: node bot.js [server] [channel]
import { Client } from "@parley-chat/sdk";
import WebSocket from "ws";

const [server = "http://127.0.0.1:8080", channel = "lobby"] = process.argv.slice(2);
const client = new Client({ url: server, user: "echo-bot", WebSocket });
client.on("state", (state) => console.log(state.status));

const room = await client.join(channel);
console.log(`joined ${channel}`);

// Called once for every message, those missed during a cut of the network too.
room.on("message", async ({ user, body, to }) => {
  if (!body.startsWith("!echo ")) return;
  try {
    // A private request gets a private answer.
    await room.send(body.slice("!echo ".length), to === undefined ? {} : { to: user });
  } catch (error) {
    console.error(`not answered: ${error.message}`);
  }
});

process.once("SIGINT", () => client.close());
process.once("SIGTERM", () => client.close());
