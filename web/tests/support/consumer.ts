// What an application writes; it is compiled against the packed SDK.
import { Client, ErrorCode, ParleyError, type Message } from "@parley-chat/sdk";
import { Client as Small } from "@parley-chat/sdk/core";
import WebSocket from "ws";

const client = new Client({ url: "http://127.0.0.1:8080", user: "ada", WebSocket });
client.on("state", (state) => {
  if (state.status === "waiting") console.log(new Date(state.retryAt));
});
const channel = await client.join("lobby");
channel.on("message", (message: Message) => console.log(message.seq, message.body));
channel.on("gap", (gap) => void channel.fill(gap));
try {
  const sent = await channel.send("hello", { to: "bob", mentions: ["bob"] });
  if (sent.repeat) console.log("it is there, further back");
  else await channel.edit(sent.seq, "hello!");
} catch (error) {
  if (error instanceof ParleyError && error.code === ErrorCode.Lost) console.log(error.retry);
}
// @ts-expect-error: there is no such event
channel.on("nonsense", () => {});

const small = await new Small({ url: "http://127.0.0.1:8080" }).join<{ n: number }>("lobby", { keep: 3 });
small.on("message", ({ data, epoch }) => console.log(data?.n, epoch));
// @ts-expect-error: the small one does not moderate
small.mute("bob");
