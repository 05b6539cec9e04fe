import { Channel, Client, ErrorCode, type ClientOptions, type Gap } from "@parley-chat/sdk";
import { expect, test } from "vitest";
import { make, server } from "../support/clients.ts";
import { type Call } from "../support/fake-server.ts";
import { until } from "../support/wait.ts";

let client: Client;

async function join(options: Partial<ClientOptions> = {}): Promise<[Channel, string[]]> {
  client = make(options);
  const seen: string[] = [];
  const channel = client.channel("lobby");
  channel.on("message", (message) => seen.push(message.body));
  await client.join("lobby");
  return [channel, seen];
}

const bodies = (channel: Channel) => channel.messages.map((message) => message.body);
const joins = () => server.calls.filter((call) => call.method === "join");

test("the first join returns history, later messages are emitted", async () => {
  server.say("bob", "before");
  const [channel, seen] = await join();
  server.say("bob", "after");
  await until("the push", () => seen.length === 1);
  expect(bodies(channel)).toEqual(["before", "after"]);
  expect(seen).toEqual(["after"]);
});

test("after a cut it rejoins with since and sees what it missed once, in order", async () => {
  const [channel, seen] = await join();
  server.say("bob", "1");
  await until("the push", () => seen.length === 1);
  const position = server.seq;
  server.cut();
  server.say("bob", "2");
  server.say("bob", "3");
  await until("recovery", () => seen.length === 3);
  server.say("bob", "4");
  await until("live again", () => seen.length === 4);
  expect(seen).toEqual(["1", "2", "3", "4"]);
  expect(bodies(channel)).toEqual(seen);
  expect(joins()[1]!.params).toMatchObject({ since: position, epoch: "e1" });
});

test("a message that was not acknowledged is sent again with the same id", async () => {
  const [channel, seen] = await join();
  let swallowed = 0;
  server.intercept = ({ method }) => {
    if (method !== "chat" || swallowed++ > 0) return false;
    server.cut();
    return true;
  };
  await channel.send("hello");
  await until("the push", () => seen.length === 1);
  const ids = server.calls.filter((c) => c.method === "chat").map((c) => c.params.id);
  expect(ids).toHaveLength(2);
  expect(new Set(ids).size).toBe(1);
  expect(channel.outbox).toHaveLength(0);
});

test("a message whose acknowledgement was lost is not sent again: it was recovered", async () => {
  const [channel, seen] = await join();
  server.intercept = (call) => {
    if (call.method !== "chat") return false;
    server.intercept = () => false;
    server.say("ada", call.params.body, { id: call.params.id, lose: true });
    server.cut();
    return true;
  };
  const sent = await channel.send("hello");
  expect(sent.seq).toBe(server.log[0]!.seq);
  expect(seen).toEqual(["hello"]);
  expect(server.count("chat")).toBe(1);
});

test("what was sent long ago and is not in the history fails, and is not sent again", async () => {
  server.dedupe = 100;
  const [channel] = await join();
  server.intercept = (call) => {
    if (call.method !== "chat") return false;
    server.intercept = () => false;
    server.cut();
    server.seq += 1000; // the log has moved on
    return true;
  };
  await expect(channel.send("hello")).rejects.toMatchObject({ code: ErrorCode.Lost });
  expect(channel.outbox).toMatchObject([{ body: "hello", status: "failed" }]);
  expect(server.count("chat")).toBe(1);

  channel.retry(channel.outbox[0]!.id);
  await until("the retry", () => channel.outbox.length === 0);
  expect(bodies(channel)).toEqual(["hello"]);
});

test("what was sent long ago and is far back in the history is found by its id", async () => {
  server.dedupe = 100;
  server.recover = 5;
  const [channel] = await join({ channels: { maxMissed: 600 } });
  server.intercept = (call) => {
    if (call.method !== "chat") return false;
    server.intercept = () => false;
    server.say("ada", call.params.body, { id: call.params.id, lose: true });
    for (let i = 0; i < 400; i++) server.say("bob", `${i}`, { lose: true });
    server.cut();
    return true;
  };
  const sent = await channel.send("hello");
  expect(sent.seq).toBe(server.log[0]!.seq);
  expect(server.count("chat")).toBe(1);
});

test("too_many is bridged by paging", async () => {
  server.recover = 5;
  const [channel, seen] = await join();
  server.cut();
  for (let i = 0; i < 700; i++) server.say("bob", `${i}`, { lose: true });
  await until("all of them", () => seen.length === 700);
  expect(seen).toEqual(Array.from({ length: 700 }, (_, i) => `${i}`));
  expect(channel.gaps).toHaveLength(0);
  server.say("bob", "live");
  await until("live again", () => seen.length === 701);
});

test("what was missed without the grant of history is a gap", async () => {
  server.history = false;
  const [channel, seen] = await join();
  const gaps: Gap[] = [];
  channel.on("gap", (gap) => gaps.push(gap));
  server.say("bob", "first");
  await until("the push", () => seen.length === 1);
  const from = server.seq;
  server.cut();
  server.say("bob", "missed", { lose: true });
  await until("the gap", () => gaps.length === 1 && channel.state === "joined");
  expect(gaps).toEqual([{ epoch: "e1", from, to: server.seq + 1 }]);
  server.say("bob", "live");
  await until("live again", () => seen.join() === "first,live");
});

test("pages may hold fewer messages than were asked for", async () => {
  server.recover = 5;
  server.page = 9; // as where each message is large
  const [channel, seen] = await join();
  server.cut();
  for (let i = 0; i < 300; i++) server.say("bob", `${i}`, { lose: true });
  await until("all of them", () => seen.length === 300);
  expect(channel.gaps).toEqual([]);
  expect(channel.state).toBe("joined");
});

test("what is too much to page leaves a gap, which can be filled", async () => {
  server.recover = 5;
  const [channel, seen] = await join({ channels: { maxMissed: 300, limit: 10 } });
  const gaps: Gap[] = [];
  channel.on("gap", (gap) => gaps.push(gap));
  server.say("bob", "first");
  await until("the push", () => seen.length === 1);
  server.cut();
  for (let i = 0; i < 1000; i++) server.say("bob", `${i}`, { lose: true });
  await until("recovery", () => channel.state === "joined" && seen.length > 300);
  expect(seen).toHaveLength(1 + 300 + 10);
  expect(gaps).toEqual([
    { epoch: "e1", from: server.log[300]!.seq, to: server.log[1000 - 9]!.seq },
  ]);

  while (channel.gaps[0]) await channel.fill(channel.gaps[0]);
  expect(bodies(channel)).toEqual(["first", ...Array.from({ length: 1000 }, (_, i) => `${i}`)]);
});

test("messages that come while a gap is paged stay after it", async () => {
  server.recover = 5;
  const [, seen] = await join();
  server.cut();
  for (let i = 0; i < 400; i++) server.say("bob", `${i}`, { lose: true });
  let spoken = false;
  server.intercept = (call) => {
    if (call.method !== "history" || spoken) return false;
    spoken = true;
    server.say("bob", "400");
    return false;
  };
  await until("all of them", () => seen.length >= 401);
  expect(seen).toEqual(Array.from({ length: 401 }, (_, i) => `${i}`));
});

test("a hole in the chain is repaired by rejoining from before it", async () => {
  const [channel, seen] = await join();
  const broken: object[] = [];
  channel.on("broken", (event) => broken.push(event));
  server.say("bob", "1");
  await until("the push", () => seen.length === 1);
  const position = server.seq;
  server.say("bob", "lost", { lose: true });
  server.say("bob", "3");
  await until("the repair", () => seen.length === 3);
  expect(seen).toEqual(["1", "lost", "3"]);
  expect(broken).toHaveLength(1);
  expect(joins()[1]!.params.since).toBe(position);
  expect(client.state.status).toBe("online");
});

test("private messages are not links of the chain, and prove it all the same", async () => {
  const [channel, seen] = await join();
  server.say("bob", "1");
  server.say("bob", "secret", { to: "ada" });
  server.say("bob", "2");
  await until("three of them", () => seen.length === 3);
  expect(seen).toEqual(["1", "secret", "2"]);
  expect(joins()).toHaveLength(1);
  expect(channel.messages[1]).toMatchObject({ to: "ada" });
});

test("a repeated push is dropped", async () => {
  const [, seen] = await join();
  const first = server.say("bob", "1");
  server.push("chat", { channel: "lobby", time: 0, ...first, prev: 0 });
  server.say("bob", "2");
  await until("the second", () => seen.includes("2"));
  expect(seen).toEqual(["1", "2"]);
  expect(joins()).toHaveLength(1);
});

test("another epoch restarts the channel and says so", async () => {
  const [channel, seen] = await join();
  server.say("bob", "old");
  await until("the push", () => seen.length === 1);
  let resets = 0;
  channel.on("reset", () => resets++);
  server.epoch = "e2";
  server.seq = 3;
  server.log.length = 0;
  server.say("bob", "new", { lose: true });
  server.cut();
  await until("the reset", () => resets === 1 && channel.state === "joined");
  expect(bodies(channel)).toEqual(["new"]);
  expect(channel.messages[0]!.epoch).toBe("e2");
  server.say("bob", "newer");
  await until("live again", () => bodies(channel).length === 2);
  expect(seen).toEqual(["old", "new", "newer"]);
});

test("a join that is refused for now is repeated, one that is forbidden fails", async () => {
  let attempts = 0;
  server.intercept = (call) => {
    if (call.method !== "join" || ++attempts > 2) return false;
    call.error(1007, { retry: 5 });
    return true;
  };
  await join();
  expect(attempts).toBe(3);

  server.intercept = (call) => {
    if (call.method === "join") call.error(1002);
    return call.method === "join";
  };
  const forbidden = client.channel("secret");
  await expect(forbidden.join()).rejects.toMatchObject({ code: ErrorCode.Forbidden });
  expect(forbidden.state).toBe("failed");
});

test("1005 and 1007 are waited out in order, other refusals fail the message", async () => {
  const [channel, seen] = await join();
  let refused = 0;
  server.intercept = (call) => {
    if (call.method !== "chat") return false;
    if (call.params.body === "bad") call.error(1006, { limit: 1 });
    else if (++refused === 1) call.error(1005, { retry: 20 });
    else return false;
    return true;
  };
  const bad = channel.send("bad").catch((error) => error.code);
  const good = [channel.send("a"), channel.send("b")];
  expect(await bad).toBe(ErrorCode.TooLarge);
  await Promise.all(good);
  await until("both", () => seen.length === 2);
  expect(channel.outbox).toMatchObject([{ body: "bad", status: "failed" }]);
});

test("messages written while the connection is away are sent when it is back", async () => {
  const [channel, seen] = await join();
  server.cut();
  await new Promise((resolve) => client.on("state", resolve)); // may be over too soon for until
  await Promise.all([channel.send("1"), channel.send("2")]);
  await until("both", () => seen.length === 2);
  expect(seen).toEqual(["1", "2"]);
});

test("a session that is not joined any more rejoins and sends", async () => {
  const [channel] = await join();
  let refused = 0;
  server.intercept = (call) => {
    if (call.method !== "chat" || refused++ > 0) return false;
    call.error(1003);
    return true;
  };
  await channel.send("hello");
  expect(joins()).toHaveLength(2);
});

test("members follow joined and left, and presence where there are many", async () => {
  server.members.add("bob");
  const [channel] = await join();
  expect(channel.members).toEqual(["ada", "bob"]);
  const at = (server.seq += 2);
  server.push("joined", { channel: "lobby", seq: at, user: "cyd", time: 0 });
  server.push("joined", { channel: "lobby", seq: at, user: "abe", time: 0 });
  server.push("left", { channel: "lobby", seq: at, user: "bob", time: 0, reason: "leave" });
  await until("all three", () => channel.members.length === 3 && !channel.members.includes("bob"));
  expect(channel.members).toEqual(["abe", "ada", "cyd"]);
  expect(channel.count).toBe(3);
  server.push("presence", { channel: "lobby", seq: at, count: 5000 });
  await until("the count", () => channel.count === 5000);
});

test("older pages go before the messages until the beginning", async () => {
  for (let i = 0; i < 120; i++) server.say("bob", `${i}`);
  const [channel] = await join({ channels: { limit: 50 } });
  expect(await channel.loadOlder(50)).toBe(50);
  expect(channel.hasOlder).toBe(true);
  expect(await channel.loadOlder(50)).toBe(20);
  expect(channel.hasOlder).toBe(false);
  expect(bodies(channel)).toEqual(Array.from({ length: 120 }, (_, i) => `${i}`));
});

test("a message that comes while the first older page is read does not stop it", async () => {
  server.say("bob", "one");
  const [channel] = await join({ channels: { limit: 0 } });
  expect(channel.hasOlder).toBe(true);
  const asked: Call[] = [];
  server.intercept = (call) => call.method === "history" && asked.push(call) === 1;
  const older = channel.loadOlder(50);
  await until("the request", () => asked.length === 1);
  const two = server.say("bob", "two");
  await until("the message", () => channel.messages.some(({ seq }) => seq === two.seq));
  server.answer(asked[0]!);
  expect(await older).toBe(1);
  expect(channel.hasOlder).toBe(false);
  expect(bodies(channel)).toEqual(["one", "two"]);
});

test("the number of messages held is bounded", async () => {
  const [channel, seen] = await join({ channels: { keep: 10 } });
  for (let i = 0; i < 50; i++) server.say("bob", `${i}`);
  await until("all of them", () => seen.length === 50);
  expect(bodies(channel)).toEqual(Array.from({ length: 10 }, (_, i) => `${40 + i}`));
  expect(channel.hasOlder).toBe(true);
});

test("an earlier outbox is taken up: found, sent again, or failed", async () => {
  server.dedupe = 1000;
  const stored = server.say("ada", "stored", { lose: true });
  for (let i = 0; i < 60; i++) server.say("bob", `${i}`, { lose: true });
  server.seq += 2000;
  const old = { epoch: "e1", seq: stored.seq - 2 };
  const recent = { epoch: "e1", seq: server.seq };
  client = make();
  const channel = client.channel("lobby");
  const message = { time: 1, status: "pending" as const };
  channel.restore([
    { ...message, id: stored.id, body: "stored", attempted: old },
    { ...message, id: "lost", body: "lost", attempted: old },
    { ...message, id: "recent", body: "recent", attempted: recent },
    { ...message, id: "never", body: "never tried" },
  ]);
  await client.join("lobby");
  await until("what is left", () => channel.outbox.length === 1);
  expect(channel.outbox).toMatchObject([{ id: "lost", status: "failed" }]);
  const sent = server.calls.filter((call) => call.method === "chat").map((call) => call.params.id);
  expect(sent).toEqual(["recent", "never"]);
});

test("an acknowledged repetition, whose original is far back, does not linger", async () => {
  const original = server.say("ada", "said long ago", { id: "twice" });
  for (let i = 0; i < 60; i++) server.say("bob", `${i}`);
  const [channel] = await join();
  const sent = server.calls.length;
  server.intercept = (call) => {
    if (call.method !== "chat") return false;
    call.result({ id: "twice", seq: (server.seq += 2), time: 0 });
    return true;
  };
  await channel.send("said long ago", { id: original.id });
  expect(channel.outbox).toMatchObject([{ status: "sent" }]);
  server.say("bob", "next");
  await until("it to be gone", () => channel.outbox.length === 0);
  expect(server.calls.length).toBe(sent + 1);
});

test("leaving forgets the channel; joining again starts from the newest", async () => {
  const [channel] = await join();
  await channel.leave();
  expect(client.channels.size).toBe(0);
  expect(channel.state).toBe("idle");
  await expect(channel.send("x")).rejects.toMatchObject({ code: ErrorCode.NotJoined });
  server.say("bob", "meanwhile");
  const again = await client.join("lobby");
  expect(bodies(again)).toEqual(["meanwhile"]);
  expect(joins()[1]!.params).not.toHaveProperty("since");
});
