import type { Channel, Client, ClientOptions, Message } from "@parley-chat/sdk";
import { expect, test } from "vitest";
import { make, server } from "../support/clients.ts";
import type { Call } from "../support/fake-server.ts";
import { until } from "../support/wait.ts";

let client: Client;

async function join(options: Partial<ClientOptions> = {}): Promise<Channel> {
  client = make(options);
  return client.join("lobby");
}

const bodies = (channel: Channel) => channel.messages.map((message) => message.body);
const joins = () => server.calls.filter((call) => call.method === "join");

/** Keeps requests of a method back; the returned function answers one as of when it came. */
function keepBack(method: string): Call[] {
  const kept: Call[] = [];
  server.intercept = (call) => call.method === method && kept.push(call) > 0;
  return kept;
}

test("a message changes in place, as another object, and is reported", async () => {
  const [one, two] = [server.say("bob", "one"), server.say("ada", "two")];
  const channel = await join();
  const before = channel.messages[0];
  const changed: Message[] = [];
  channel.on("changed", (message) => changed.push(message));
  server.edit(one.seq, "uno");
  server.erase(two.seq);
  server.change({ target: one.seq, counts: { "👍": 2 } });
  await until("all three", () => changed.length === 3);
  expect(before).toMatchObject({ body: "one" });
  expect(channel.messages).toMatchObject([
    { body: "uno", edited: { time: expect.any(Number) }, reactions: [{ name: "👍", count: 2 }] },
    { body: "", deleted: { by: { user: "bob" } } },
  ]);
  expect(changed.map(({ seq }) => seq)).toEqual([one.seq, two.seq, one.seq]);
  expect(joins()).toHaveLength(1);
});

test("a purge hits what one user said, from a seq on", async () => {
  for (const user of ["eve", "bob", "eve", "eve"]) server.say(user, user);
  const since = server.log[2]!.seq;
  const channel = await join();
  server.change({ purge: { user: "eve", since } });
  server.say("eve", "again");
  await until("the message", () => channel.messages.length === 5);
  expect(bodies(channel)).toEqual(["eve", "bob", "", "", "again"]);
});

test("a hole in the chain of changes is repaired by joining from before it", async () => {
  const one = server.say("bob", "one");
  const channel = await join();
  const broken: object[] = [];
  channel.on("broken", (event) => broken.push(event));
  const since = server.edit(one.seq, "two").seq;
  await until("the edit", () => bodies(channel)[0] === "two");
  const lost = server.edit(one.seq, "lost", true);
  const three = server.say("bob", "three");
  await until("the message", () => channel.messages.length === 2);
  server.erase(three.seq);
  await until("the repair", () => channel.messages[1]!.deleted !== undefined);
  expect(bodies(channel)).toEqual(["lost", ""]);
  expect(broken).toEqual([{ expected: since, got: lost.seq }]);
  expect(joins()[1]!.params.since).toBe(since);
  server.edit(one.seq, "goes on");
  await until("the edit after it", () => bodies(channel)[0] === "goes on");
  expect(joins()).toHaveLength(2);
});

test("a hole is noticed although something else came after what was lost", async () => {
  const channel = await join();
  const position = server.seq;
  server.say("bob", "lost", { lose: true });
  server.push("joined", { channel: "lobby", seq: (server.seq += 2), user: "cyd", time: 0 });
  server.say("bob", "2");
  await until("the repair", () => channel.messages.length === 2);
  expect(bodies(channel)).toEqual(["lost", "2"]);
  expect(joins()[1]!.params.since).toBe(position);
});

test("changes of private messages are not links, and prove the chain all the same", async () => {
  const secret = server.say("bob", "secret", { to: "ada" });
  const open = server.say("bob", "open");
  const channel = await join();
  server.edit(open.seq, "1");
  server.change({ target: secret.seq, to: "ada", user: "bob", edit: { body: "2" } });
  server.edit(open.seq, "3");
  await until("all of them", () => bodies(channel).join() === "2,3");
  expect(joins()).toHaveLength(1);
});

test("what was changed while the connection was away is recovered", async () => {
  const [one, two, three] = ["one", "two", "three"].map((text) => server.say("bob", text));
  const channel = await join();
  server.cut();
  server.edit(one!.seq, "uno", true);
  server.erase(two!.seq, true);
  server.change({ target: three!.seq, counts: { "👍": 1 } }, true);
  const four = server.say("bob", "four", { lose: true });
  server.edit(four.seq, "quattro", true);
  await until("recovery", () => channel.messages.length === 4);
  expect(bodies(channel)).toEqual(["uno", "", "three", "quattro"]);
  expect(channel.messages[2]!.reactions).toEqual([{ name: "👍", count: 1 }]);
  server.edit(four.seq, "goes on");
  await until("live again", () => bodies(channel)[3] === "goes on");
  expect(joins()).toHaveLength(2);
});

test.each([7, 300])("5,000 messages, 500 edits and 200 deletions are paged, %d at a time", async (page) => {
  for (let i = 0; i < 50; i++) server.say("bob", `old ${i}`);
  const channel = await join({ channels: { maxMissed: 10_000, keep: 10_000 } });
  server.page = page;
  server.cut();
  for (let i = 0; i < 5000; i++) server.say("bob", `new ${i}`, { lose: true });
  const pick = (i: number) => server.log[(i * 7919) % server.log.length]!.seq;
  for (let i = 0; i < 500; i++) server.edit(pick(i), `edit ${i}`, true);
  for (let i = 0; i < 200; i++) server.erase(pick(3 * i), true);
  await until("recovery", () => channel.state === "joined" && channel.messages.length === 5050);
  const expected = new Map(server.log.map(({ seq, body }) => [seq, body]));
  for (const { target, edit } of server.changes) if (edit) expected.set(target!, edit.body);
  for (const { target, edit } of server.changes) if (!edit) expected.set(target!, "");
  expect(bodies(channel)).toEqual([...expected.values()]);
  expect(channel.gaps).toEqual([]);
  expect(channel.messages.some(({ stale }) => stale)).toBe(false);
});

test("more changes than the server recovers are paged, without a message among them", async () => {
  const one = server.say("bob", "0");
  server.recover = 5;
  const channel = await join();
  server.cut();
  for (let i = 1; i <= 700; i++) server.edit(one.seq, `${i}`, true);
  await until("the newest edit", () => bodies(channel)[0] === "700");
  expect(channel.gaps).toEqual([]);
});

test("what is not known to be unchanged says so until it is read", async () => {
  const one = server.say("bob", "one");
  const channel = await join();
  server.recover = 0;
  server.intercept = (call) => {
    if (call.method !== "history") return false;
    call.error(1002, { action: "history", channel: "lobby" });
    return true;
  };
  for (let i = 0; i < 60; i++) server.say("bob", `${i}`, { lose: true });
  server.cut();
  server.erase(one.seq, true);
  await until("the rejoin", () => joins().length === 2 && channel.state === "joined");
  expect(channel.messages[0]).toMatchObject({ body: "one", stale: true });
  expect(channel.gaps).toHaveLength(1);
  server.intercept = () => false;
  expect(await channel.read(one.seq)).toMatchObject({ body: "", deleted: {} });
  expect(channel.messages[0]).toMatchObject({ body: "" });
  expect(channel.messages[0]!.stale).toBeUndefined();
});

test("a page that comes late undoes no deletion, nor does one of what is held", async () => {
  for (const text of ["one", "two", "three"]) server.say("bob", text);
  const [one, two] = server.log;
  const channel = await join({ channels: { limit: 2 } });
  const kept = keepBack("history");
  const older = channel.loadOlder();
  const read = channel.read(two!.seq);
  await until("the requests", () => kept.length === 2);
  // What the server read before the deletions, and sends after them.
  const answers = kept.map((call) => {
    let answer: unknown;
    server.answer({ ...call, result: (result) => (answer = result) });
    return () => call.result(answer);
  });
  server.erase(one!.seq);
  server.erase(two!.seq);
  await until("the deletion", () => channel.messages[0]!.deleted !== undefined);
  for (const answer of answers) answer();
  expect(await older).toBe(1);
  expect(await read).toMatchObject({ body: "", deleted: {} });
  expect(bodies(channel)).toEqual(["", "", "three"]);
});

test("a page of history is as of when it is handed out", async () => {
  const one = server.say("bob", "one");
  const channel = await join({ channels: { limit: 0 } });
  const [page] = await Promise.all([channel.history(), server.edit(one.seq, "two")]);
  expect(page.messages).toMatchObject([{ body: "two", epoch: "e1" }]);
});

test("counts that the server does not know are asked for", async () => {
  const one = server.say("bob", "one");
  const channel = await join();
  server.change({ target: one.seq, counts: { "👍": 3 } }, true);
  server.push("reacted", { channel: "lobby", seq: server.seq, target: one.seq });
  await until("the push", () => channel.messages[0]!.stale === true);
  await channel.read(channel.messages[0]!);
  expect(channel.messages[0]!.reactions).toEqual([{ name: "👍", count: 3 }]);
  expect(channel.messages[0]!.stale).toBeUndefined();
});

test("a message far back is loaded with what is around it, and the gap is filled", async () => {
  for (let i = 0; i < 600; i++) server.say("bob", `${i}`);
  const channel = await join({ channels: { limit: 50 } });
  const wanted = server.log[100]!;
  await channel.loadAround(wanted.seq);
  expect(bodies(channel)).toContain("100");
  expect(channel.gaps).toEqual([
    { epoch: "e1", from: server.log[149]!.seq, to: server.log[550]!.seq },
  ]);
  expect(channel.hasOlder).toBe(true);
  server.edit(server.log[0]!.seq, "edited");
  while (channel.gaps[0]) await channel.fill(channel.gaps[0]);
  await channel.loadOlder(100);
  expect(bodies(channel)).toEqual(["edited", ...Array.from({ length: 599 }, (_, i) => `${i + 1}`)]);
});

test("the settings say what is pinned, and who may see it asks for it", async () => {
  const one = server.say("bob", "one");
  const channel = await join();
  const events: (readonly number[])[] = [];
  channel.on("settings", ({ pins }) => events.push(pins));
  await channel.pin(one.seq);
  await until("the push", () => events.length === 1);
  expect(channel.settings.pins).toEqual([one.seq]);
  server.intercept = (call) => {
    if (call.method !== "pins") return false;
    call.result({ messages: [{ ...one, time: 0 }], asof: server.seq, more: false });
    return true;
  };
  expect(await channel.pins()).toMatchObject({ messages: [{ body: "one", epoch: "e1" }], more: false });
});
