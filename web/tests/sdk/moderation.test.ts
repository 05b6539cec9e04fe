import { ErrorCode, type Channel, type Removed, type Sanctioned, type Signal } from "@parley-chat/sdk";
import { expect, test } from "vitest";
import { make, server } from "../support/clients.ts";
import type { Call } from "../support/fake-server.ts";
import { outcome, until } from "../support/wait.ts";

/** What moderators do, what becomes of those whom they do it to, and signals. */

const sent = (method: string) => {
  return server.calls.filter((call) => call.method === method).map(({ params }) => params);
};

/** Answers a method with an error, for as long as that is not taken back. */
function refuse(method: string, code: number, data: object = {}): void {
  server.intercept = (call) => call.method === method && (call.error(code, data), true);
}

const everybody = { channel: "lobby", user: "eve" };

test("what a moderator asks for is on the wire as the protocol has it", async () => {
  const one = server.say("eve", "one");
  const channel = await make().join("lobby");
  const [message] = channel.messages;
  const done = await channel.mute("eve", { for: 600_000, reason: "off topic" });
  expect(done).toEqual({ id: expect.any(String), seq: server.seq, time: 0 });
  await channel.mute("eve", { purge: message! });
  await channel.ban("eve", { purge: 0, id: "mine" });
  await channel.kick("eve", { reason: "enough" });
  await channel.lift("eve");
  await channel.lift("eve", { action: "ban" });
  await channel.purge("eve");
  await channel.purge("eve", { since: one.seq });
  const id = expect.stringMatching(/^[0-9a-v]{26}$/);
  expect(sent("mute")).toEqual([
    { ...everybody, id, for: 600_000, reason: "off topic" },
    { ...everybody, id, purge: one.seq, epoch: "e1" },
  ]);
  expect(sent("ban")).toEqual([{ ...everybody, id: "mine", purge: 0 }]);
  expect(sent("kick")).toEqual([{ ...everybody, id, reason: "enough" }]);
  expect(sent("lift")).toEqual([{ ...everybody, id }, { ...everybody, id, action: "ban" }]);
  expect(sent("purge")).toEqual([
    { ...everybody, id },
    { ...everybody, id, since: one.seq, epoch: "e1" },
  ]);
});

test("what is set is what is given, and nothing else", async () => {
  const channel = await make().join("lobby");
  await channel.set({ slow: 0 });
  await channel.set({ frozen: false, topic: "", data: null, id: "mine" });
  const id = expect.any(String);
  expect(sent("set")).toEqual([
    { channel: "lobby", id, slow: 0 },
    { channel: "lobby", id: "mine", frozen: false, topic: "", data: null },
  ]);
});

test("what was not acknowledged is sent again, with the same id, in its order", async () => {
  const channel = await make().join("lobby");
  server.intercept = ({ method }) => {
    if (method !== "ban") return false;
    server.intercept = () => false;
    server.cut();
    return true;
  };
  await Promise.all([channel.ban("eve"), channel.lift("eve")]);
  const bans = sent("ban");
  expect(bans).toEqual([bans[0], { ...bans[0], retry: true }]);
  expect(server.calls.map(({ method }) => method).slice(-3)).toEqual(["join", "ban", "lift"]);
});

test("who may not hears so, and it is known until it is allowed", async () => {
  const channel = await make().join("lobby");
  refuse("kick", 1002, { action: "moderate", channel: "lobby" });
  expect(await outcome(channel.kick("eve"))).toMatchObject({ code: ErrorCode.Forbidden });
  expect([...channel.forbidden]).toEqual(["moderate"]);
  refuse("ban", 1011, { limit: 10_000 });
  expect(await outcome(channel.ban("eve"))).toMatchObject({ code: ErrorCode.Full, data: { limit: 10_000 } });
  await channel.kick("eve");
  expect([...channel.forbidden]).toEqual([]);
  await channel.leave();
  expect(await outcome(channel.kick("eve"))).toMatchObject({ code: ErrorCode.NotJoined });
});

test("sanctions are read page by page", async () => {
  const channel = await make().join("lobby");
  const sanctions = [{ user: "eve", action: "mute", by: { key: "bot" }, seq: 7 }];
  server.intercept = (call) => call.method === "sanctions" && (call.result({ sanctions, more: true }), true);
  expect(await channel.sanctions({ after: "dan", limit: 1 })).toEqual({ sanctions, more: true });
  expect(sent("sanctions")).toEqual([{ channel: "lobby", after: "dan", limit: 1 }]);
});

test("settings are followed, from the join on", async () => {
  server.settings = { ...server.settings, slow: 5, topic: "releases", seq: 3 };
  const channel = await make().join("lobby");
  expect(channel.settings).toMatchObject({ slow: 5, topic: "releases", frozen: false });
  const topics: string[] = [];
  channel.on("settings", ({ topic }) => topics.push(topic));
  server.set({ topic: "", frozen: true });
  await until("the push", () => channel.settings.frozen);
  expect(topics).toEqual([""]);
});

test("one's own mute is known from the join, from pushes, and until it is lifted", async () => {
  server.sanction = { user: "ada", action: "mute", reason: "loud", by: { user: "bob" }, seq: 5 };
  const channel = await make().join("lobby");
  expect(channel.sanction).toEqual(server.sanction);
  const told: Sanctioned[] = [];
  channel.on("sanctioned", (push) => told.push(push));
  const after = async (user: string, action: string, more: object = {}) => {
    const seq = server.sanctions(user, action, more);
    await until("the push", () => told.at(-1)?.seq === seq);
    return channel.sanction;
  };
  expect(await after("eve", "lift")).toMatchObject({ seq: 5 });
  expect(await after("ada", "lift", { lifted: "ban" })).toMatchObject({ seq: 5 });
  expect(await after("ada", "mute", { until: 99 })).toMatchObject({ until: 99, by: { user: "bob" } });
  expect(await after("ada", "lift", { lifted: "mute" })).toBeUndefined();
  await after("ada", "mute");
  expect(await after("ada", "lift")).toBeUndefined();
  expect(told).toHaveLength(6);
  const { seq } = (await after("ada", "mute"))!;
  expect(await after("ada", "shadow")).toMatchObject({ seq }); // by a later server
  server.sanction = undefined;
  const rejoined = new Promise((resolve) => channel.on("state", (state) => state === "joined" && resolve(state)));
  server.cut(); // it was lifted meanwhile
  await rejoined;
  expect(channel.sanction).toBeUndefined();
});

test.each([{ action: "mute", until: 99 }, { action: "frozen" }])(
  "a message that $action stops has failed, and can be sent again",
  async (data) => {
    const channel = await make().join("lobby");
    refuse("chat", 1009, data);
    expect(await outcome(channel.send("hello"))).toMatchObject({ code: ErrorCode.Sanctioned, data });
    expect(channel.outbox).toMatchObject([{ status: "failed", error: { code: 1009, data } }]);
    server.intercept = () => false;
    channel.retry(channel.outbox[0]!.id);
    await until("the message", () => channel.messages.length === 1);
  },
);

test("in slow mode a message waits as long as the server says, or until that ends", async () => {
  const channel = await make().join("lobby");
  server.set({ slow: 3600 });
  refuse("chat", 1005, { retry: 3_600_000 });
  const said = channel.send("hello");
  await until("the refusal", () => sent("chat").length === 1);
  await until("the push", () => channel.settings.slow === 3600);
  server.intercept = () => false;
  server.set({ slow: 0 });
  await said;
  expect(sent("chat")).toHaveLength(2);
});

test("a purge with a ban is applied, although both come at one seq, and survives a cut between", async () => {
  server.say("eve", "one");
  const channel = await make().join("lobby");
  const purge = { user: "eve", since: 0 };
  const seq = server.sanctions("eve", "ban");
  const change = { channel: "lobby", seq, time: 0, id: "c", cprev: 0, by: { user: "bob" }, purge };
  server.push("changed", change);
  server.push("left", { channel: "lobby", seq, user: "eve", time: 0, reason: "banned" });
  await until("the purge", () => channel.messages[0]!.deleted !== undefined);

  server.changes.push({ seq, purge });
  const two = server.say("eve", "two");
  await until("the next", () => channel.messages.length === 2);
  let came = 0;
  channel.on("sanctioned", () => came++);
  server.sanctions("eve", "ban");
  await until("the ban", () => came === 1);
  server.changes.push({ seq: server.seq, purge }); // its push is lost
  server.cut();
  await until("the purge", () => channel.messages[1]!.deleted !== undefined);
  expect(sent("join").at(-1)).toMatchObject({ since: two.seq });
});

/** A channel that tells what becomes of it. */
async function followed(): Promise<{ channel: Channel; told: (string | Removed)[] }> {
  const channel = await make().join("lobby");
  const told: (string | Removed)[] = [];
  channel.on("state", (state) => told.push(state));
  channel.on("removed", (removed) => told.push(removed));
  return { channel, told };
}

test("banned: one is out, hears until when and why, and cannot come back", async () => {
  const { channel, told } = await followed();
  const seq = server.sanctions("ada", "ban", { until: 99, reason: "spam" });
  server.push("removed", { channel: "lobby", seq, reason: "banned", until: 99 });
  await until("the end", () => channel.state === "failed");
  expect(told).toMatchObject(["joining", { reason: "banned", until: 99 }, "failed"]);
  const data = { action: "ban", until: 99, reason: "spam" };
  expect(channel.error).toMatchObject({ code: ErrorCode.Sanctioned, data });
  expect(sent("join")).toHaveLength(1);
  refuse("join", 1009, data);
  expect(await outcome(channel.join())).toMatchObject({ code: ErrorCode.Sanctioned, data });
  expect(channel.state).toBe("failed");
  server.intercept = () => false; // lifted
  await channel.join();
  expect(channel.error).toBeUndefined();
});

test("kicked: one is out, and comes back when one asks to", async () => {
  const { channel, told } = await followed();
  server.sanctions("ada", "kick");
  server.remove("kicked");
  await until("the end", () => channel.state === "failed");
  expect(channel.error).toMatchObject({ code: ErrorCode.Forbidden, data: { reason: "kicked" } });
  server.say("bob", "meanwhile", { lose: true });
  await channel.join();
  expect(told.slice(3)).toEqual(["joining", "joined"]);
  expect(channel.messages.map(({ body }) => body)).toEqual(["meanwhile"]);
});

test("an answer that comes after one was put out does not bring one back", async () => {
  const { channel } = await followed();
  const held: Call[] = [];
  server.intercept = (call) => /^(chat|react)$/.test(call.method) && held.push(call) > 0;
  const said = outcome(channel.send("hello"));
  const reacted = outcome(channel.react(1, "👍"));
  await until("both", () => held.length === 2);
  server.remove("kicked");
  await until("the end", () => channel.state === "failed");
  for (const call of held) call.error(1003);
  expect(await said).toMatchObject({ code: ErrorCode.Forbidden });
  expect(await reacted).toMatchObject({ code: ErrorCode.Forbidden });
  await make({ user: "bob" }).join("lobby"); // a round trip later
  expect(sent("join")).toHaveLength(2);
  expect(channel.state).toBe("failed");
});

test("members leave for reasons of moderators", async () => {
  for (const user of ["dan", "eve"]) server.members.add(user);
  const channel = await make().join("lobby");
  const left: string[] = [];
  channel.on("left", ({ user, reason }) => left.push(`${user}: ${reason}`));
  const out = { channel: "lobby", time: 0 };
  server.push("left", { ...out, seq: (server.seq += 2), user: "dan", reason: "kicked" });
  server.push("left", { ...out, seq: (server.seq += 2), user: "eve", reason: "banned" });
  await until("both", () => left.length === 2);
  expect(left).toEqual(["dan: kicked", "eve: banned"]);
  expect(channel.members).toEqual(["ada"]);
});

test("signals are sent once and told, and disturb nothing", async () => {
  const channel = await make().join("lobby");
  const told: Signal[] = [];
  channel.on("signal", (signal) => told.push(signal));
  await channel.signal("typing");
  await channel.signal("cursor", { x: 1 });
  expect(sent("signal")).toEqual([
    { channel: "lobby", name: "typing" },
    { channel: "lobby", name: "cursor", data: { x: 1 } },
  ]);
  refuse("signal", 1005, { retry: 10 });
  expect(await outcome(channel.signal("typing"))).toMatchObject({ code: ErrorCode.RateLimited });
  expect(sent("signal")).toHaveLength(3);
  server.push("signal", { channel: "lobby", user: "bob", name: "typing", time: 5 });
  server.push("signal", { channel: "elsewhere", user: "bob", name: "typing", time: 6 });
  server.say("bob", "hello");
  await until("the message", () => channel.messages.length === 1);
  expect(told).toMatchObject([{ user: "bob", name: "typing", time: 5 }]);
  await channel.leave();
  expect(await outcome(channel.signal("typing"))).toMatchObject({ code: ErrorCode.NotJoined });
});
