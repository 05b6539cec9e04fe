import { type Client, ErrorCode, type ClientState } from "@parley-chat/sdk";
import { beforeEach, expect, test, vi } from "vitest";
import { make, server } from "../support/clients.ts";
import { until } from "../support/wait.ts";

let client: Client;
let states: ClientState["status"][];

beforeEach(() => {
  client = make();
  states = [];
  client.on("state", (state) => states.push(state.status));
});

test("it says hello and is online", async () => {
  await client.connect();
  expect(client.session).toMatchObject({ user: "ada", epoch: "e1" });
  expect(states).toEqual(["connecting", "online"]);
});

test("an address of the server is as good as that of its socket", async () => {
  client = make({ url: server.url.replace("ws:", "http:").replace("/ws", ""), user: "a" });
  await client.connect();
  expect(client.state.status).toBe("online");
});

test.each([1001, 1011, 3001, 3005, 3008, 3010, 3012])("close code %i: it reconnects", async (code) => {
  await client.connect();
  server.close(code);
  await until("the reconnect", () => server.count("hello") === 2);
  expect(states).toContain("waiting");
});

test.each([1003, 1007, 1009, 3500, 3501, 3502, 3503, 3504])(
  "close code %i: it does not reconnect",
  async (code) => {
    await client.connect();
    server.close(code);
    await until("the end", () => client.state.status === "closed");
    expect(client.state).toMatchObject({ error: { code } });
    await new Promise((resolve) => setTimeout(resolve, 700)); // longer than the first back-off
    expect(server.count("hello")).toBe(1);
  },
);

test("a server that is away is waited for", async () => {
  const url = server.url;
  await server.stop();
  client = make({ url });
  const online = client.connect();
  await until("a failure", () => client.state.status === "waiting");
  expect(client.state).toMatchObject({ code: 1006 });
  client.close();
  await expect(online).rejects.toMatchObject({ code: ErrorCode.Closed });
});

test("drain: it moves after about the time asked for, without a clean close", async () => {
  const closes: number[] = [];
  await client.join("lobby");
  for (const socket of server.sockets) socket.on("close", (code) => closes.push(code));
  server.push("drain", { after: 100 });
  await until("the move", () => server.count("hello") === 2);
  await until("the close", () => closes.length > 0);
  expect(closes).toEqual([3001]);
  await until("joined again", () => server.count("join") === 2);
});

test("requests beyond the pipeline wait for their turn", async () => {
  const channel = await client.join("lobby");
  await Promise.all(Array.from({ length: 200 }, (_, i) => channel.send(`${i}`)));
  await until("all back", () => channel.messages.length === 200);
  expect(channel.messages.map((m) => m.body)).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
});

test("closing rejects what waits and says goodbye cleanly", async () => {
  const channel = await client.join("lobby");
  server.intercept = ({ method }) => method === "chat";
  const codes: number[] = [];
  for (const socket of server.sockets) socket.on("close", (code) => codes.push(code));
  const sent = channel.send("hello");
  client.close();
  await expect(sent).rejects.toMatchObject({ code: ErrorCode.Closed });
  await until("the close", () => codes.length === 1);
  expect(codes).toEqual([1000]);
  expect(client.state).toEqual({ status: "closed" });
  expect(channel.outbox).toMatchObject([{ body: "hello", status: "failed" }]);
});

test("a listener that throws does not disturb the others", async () => {
  const uncaught = vi.fn();
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", uncaught);
  const channel = await client.join("lobby");
  const seen: string[] = [];
  channel.on("message", () => {
    throw new Error("the application's own");
  });
  channel.on("message", (message) => seen.push(message.body));
  server.say("bob", "hello");
  await until("the message", () => seen.length === 1);
  await until("the report", () => uncaught.mock.calls.length === 1);
  for (const listener of listeners) process.on("uncaughtException", listener);
});
