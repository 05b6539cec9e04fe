import { Client, ErrorCode, type ClientOptions } from "@parley-chat/sdk/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import WebSocket from "ws";
import { FakeServer } from "../support/fake-server.ts";
import { outcome, until } from "../support/wait.ts";

/** The small entry: what it leaves out must not weaken what it keeps. */

let server: FakeServer;
let client: Client;

beforeEach(async () => {
  server = await FakeServer.start();
  client = make();
});

afterEach(async () => {
  client.close();
  await server.stop();
});

function make(options: Partial<ClientOptions> = {}): Client {
  return new Client({ url: server.url, user: "ada", WebSocket, ...options });
}

const bodies = (list: readonly { body: string }[]) => list.map(({ body }) => body);

test("history, then every message once and in order, over a cut", async () => {
  server.say("bob", "before");
  const lobby = await client.join<{ n: number }>("lobby");
  expect(bodies(lobby.messages)).toEqual(["before"]);
  const heard: string[] = [];
  const recovered = vi.fn();
  lobby.on("message", ({ body }) => heard.push(body));
  lobby.on("recovered", recovered);
  const first = lobby.messages;
  server.say("bob", "live");
  await lobby.send("mine", { data: { n: 1 } });
  await until("both", () => heard.length === 2);
  expect(bodies(first)).toEqual(["before"]); // never changes itself

  server.cut();
  for (let i = 0; i < 3; i++) server.say("bob", `missed ${i}`, { lose: true });
  await until("what was missed", () => recovered.mock.calls.length === 1);
  expect(recovered).toHaveBeenCalledWith({ complete: true });
  expect(heard).toEqual(["live", "mine", "missed 0", "missed 1", "missed 2"]);
  expect(bodies(lobby.messages)).toEqual(["before", ...heard]);
});

test("more than the server recovers in one go is fetched page by page, or is a gap", async () => {
  server.recover = 1;
  server.page = 5;
  server.say("bob", "before");
  const all = await client.join("lobby");
  const other = make();
  const few = await other.join("lobby", { maxMissed: 0 });
  const gap = vi.fn();
  few.on("gap", gap);
  server.cut();
  for (let i = 0; i < 60; i++) server.say("bob", `message ${i}`, { lose: true });
  await until("all of it", () => all.messages.length === 61);
  await until("the gap", () => gap.mock.calls.length === 1 && few.state === "joined");
  expect(bodies(all.messages)).toEqual(["before", ...Array.from({ length: 60 }, (_, i) => `message ${i}`)]);
  const { from, epoch } = gap.mock.calls[0]![0];
  expect(bodies((await few.history({ after: from, epoch, limit: 5 })).messages)[0]).toBe("message 0");
  other.close();
});

test("what was not acknowledged is sent again, with the same id, and says so", async () => {
  const lobby = await client.join("lobby");
  server.intercept = (call) => {
    if (call.method !== "chat") return false;
    server.intercept = () => false;
    call.socket.terminate();
    return true;
  };
  const sent = [lobby.send("one"), lobby.send("two")];
  await Promise.all(sent);
  await until("both", () => lobby.messages.length === 2);
  expect(bodies(server.log)).toEqual(["one", "two"]);
  const chats = server.calls.filter(({ method }) => method === "chat").map(({ params }) => params);
  expect(chats[1]).toEqual({ ...chats[0], retry: true });
});

test("a hole in the chain is repaired before what comes after it", async () => {
  const lobby = await client.join("lobby");
  server.say("bob", "lost", { lose: true });
  server.say("bob", "after");
  await until("both", () => lobby.messages.length === 2);
  expect(bodies(lobby.messages)).toEqual(["lost", "after"]);
});

test("an edit comes as an event, and the message stays as it came", async () => {
  const lobby = await client.join("lobby");
  const { seq } = await lobby.send("one");
  await until("it", () => lobby.messages.length === 1);
  const events = vi.fn();
  lobby.on("event", events);
  server.change({ target: seq!, user: "ada", edit: { body: "two" } });
  await until("the edit", () => events.mock.calls.length > 0);
  expect(events.mock.calls[0]![0]).toMatchObject({ method: "changed", params: { target: seq, edit: { body: "two" } } });
  expect(bodies(lobby.messages)).toEqual(["one"]);
});

test("keeps no more than it is asked to", async () => {
  const lobby = await client.join("lobby", { keep: 3 });
  for (let i = 0; i < 5; i++) await lobby.send(`message ${i}`);
  await until("the last", () => lobby.messages.at(-1)?.body === "message 4");
  expect(bodies(lobby.messages)).toEqual(["message 2", "message 3", "message 4"]);
});

test("refusals, leaving and closing end as they do in the whole", async () => {
  const lobby = await client.join("lobby");
  expect(await outcome(lobby.history({ timeout: 60_000 }))).toBe("resolved");
  server.push("removed", { channel: "lobby", seq: server.seq, reason: "kicked" });
  await until("out", () => lobby.state === "failed");
  expect(lobby.error).toMatchObject({ code: ErrorCode.Forbidden, reason: "kicked" });
  expect(await outcome(lobby.send("no"))).toMatchObject({ code: ErrorCode.NotJoined });
  await lobby.join();
  await lobby.leave();
  expect(client.channels.size).toBe(0);
  await lobby.join();
  server.say("bob", "hello again");
  await until("the push", () => lobby.messages.length === 1);
  server.intercept = ({ method }) => method === "chat"; // no answer
  const waiting = lobby.send("never");
  client.close();
  expect(await outcome(waiting)).toMatchObject({ code: ErrorCode.Closed });
  expect(lobby.state).toBe("idle");
});
