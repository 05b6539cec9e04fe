import { ErrorCode, ParleyError, type Channel, type ClientOptions } from "@parley-chat/sdk";
import { expect, test } from "vitest";
import { make, server } from "../support/clients.ts";
import type { Call, Chat } from "../support/fake-server.ts";
import { until } from "../support/wait.ts";

let one: Chat;

async function join(options: Partial<ClientOptions> = {}): Promise<Channel> {
  one = server.say("bob", "one");
  return make(options).join("lobby");
}

const sent = (method: string) => {
  return server.calls.filter((call) => call.method === method).map(({ params }) => params);
};

/** Deals with the first request of a method otherwise. */
function once(method: string, act: (call: Call) => void): void {
  server.intercept = (call) => {
    if (call.method !== method) return false;
    server.intercept = () => false;
    act(call);
    return true;
  };
}

test("what is asked for is on the wire as the protocol has it", async () => {
  const channel = await join();
  const target = channel.messages[0]!;
  await channel.edit(target, "two", { data: { a: 1 } });
  await channel.delete(target.seq, { reason: "off topic" });
  await channel.react(target, "👍");
  await channel.react(target, "👍", { remove: true });
  await channel.pin(target, { id: "mine" });
  const common = { channel: "lobby", seq: one.seq, epoch: "e1" };
  const id = expect.stringMatching(/^[0-9a-v]{26}$/);
  expect(sent("edit")).toEqual([{ ...common, id, body: "two", data: { a: 1 } }]);
  expect(sent("delete")).toEqual([{ ...common, id, reason: "off topic" }]);
  expect(sent("react")).toEqual([
    { ...common, id, name: "👍" },
    { ...common, id, name: "👍", remove: true },
  ]);
  expect(sent("pin")).toEqual([{ ...common, id: "mine" }]);
});

test("a message has structure, and an answer counts in its own epoch alone", async () => {
  const channel = await join();
  const structure = { type: "poll", data: { a: [1] }, mentions: ["bob"] };
  await channel.send("yes", { ...structure, reply: channel.messages[0]! });
  expect(sent("chat")[0]).toMatchObject({ body: "yes", ...structure, reply: one.seq });
  expect(sent("chat")[0]).not.toHaveProperty("epoch");
  await until("the push", () => channel.messages.length === 2);
  expect(channel.messages[1]).toMatchObject({ ...structure, reply: one.seq });
  const away = new Promise((resolve) => channel.once("state", resolve));
  server.epoch = "e2";
  server.cut();
  expect(await away).toBe("joining");
  await channel.send("late", { reply: channel.messages[0]! });
  expect(sent("chat").at(-1)).not.toHaveProperty("reply");
});

test("what was not acknowledged is sent again, with the same id, and says so", async () => {
  const channel = await join();
  once("edit", () => server.cut());
  const { seq } = await channel.edit(one.seq, "two");
  expect(sent("edit")).toMatchObject([{ seq: one.seq }, { seq: one.seq, retry: true }]);
  expect(sent("edit")[0]).not.toHaveProperty("retry");
  expect(sent("edit")[1]!.id).toBe(sent("edit")[0]!.id);
  expect(seq).toBe(server.changes[0]!.seq);

  once("chat", () => server.cut());
  await channel.send("hello");
  expect(sent("chat")[0]).not.toHaveProperty("retry");
  expect(sent("chat")[1]).toMatchObject({ id: sent("chat")[0]!.id, retry: true });
});

test("a repetition whose place nobody knows any more is done all the same", async () => {
  const channel = await join();
  for (const method of ["chat", "edit"]) {
    once(method, () => {
      once(method, ({ params, result }) => result({ id: params.id, repeat: true }));
      server.cut();
    });
    const done = method === "chat" ? channel.send("hello") : channel.edit(one.seq, "two");
    const id = expect.any(String);
    expect(await done).toEqual({ id, repeat: true });
    expect(sent(method)).toHaveLength(2);
  }
  expect(channel.outbox).toEqual([]);
});

test("what would be repeated too late is not: nobody knows whether it was done", async () => {
  server.dedupe = 100;
  const channel = await join();
  once("edit", () => {
    server.cut();
    server.seq += 1000;
  });
  await expect(channel.edit(one.seq, "two")).rejects.toMatchObject({ code: ErrorCode.Lost });
  expect(sent("edit")).toHaveLength(1);
});

test("changes are made one after the other, and wait where the server is too fast for them", async () => {
  const channel = await join();
  const order: string[] = [];
  once("react", ({ error }) => error(1005, { retry: 20 }));
  const on = channel.react(one.seq, "👍").then(() => order.push("on"));
  const off = channel.react(one.seq, "👍", { remove: true }).then(() => order.push("off"));
  await Promise.all([on, off]);
  expect(order).toEqual(["on", "off"]);
  expect(sent("react").map(({ remove }) => remove ?? false)).toEqual([false, false, true]);
  expect(channel.messages[0]!.mine).toBeUndefined();
});

test("refusals are told by their code, and stop nothing that follows", async () => {
  const channel = await join();
  const refusals: [number, object][] = [
    [ErrorCode.Gone, {}],
    [ErrorCode.Full, { limit: 1000 }],
    [ErrorCode.Forbidden, { action: "edit", channel: "lobby", reason: "age" }],
  ];
  for (const [code, data] of refusals) {
    once("edit", ({ error }) => error(code, data));
    await expect(channel.edit(one.seq, "two")).rejects.toMatchObject({ code, data });
  }
  expect([ErrorCode.Gone, ErrorCode.Full]).toEqual([1010, 1011]);
  expect(channel.forbidden.size).toBe(0); // younger messages can still be edited
  once("edit", ({ error }) => error(1002, { action: "edit", channel: "lobby" }));
  await expect(channel.edit(one.seq, "two")).rejects.toBeInstanceOf(ParleyError);
  expect([...channel.forbidden]).toEqual(["edit"]);
  await channel.edit(one.seq, "two");
  expect(channel.forbidden.size).toBe(0);
});

test("an older server cannot change messages, and that is known beforehand", async () => {
  server.format = 1;
  const channel = await join();
  expect(channel.changeable).toBe(false);
  const refused = channel.edit(one.seq, "two");
  await expect(refused).rejects.toMatchObject({ code: ErrorCode.UnknownMethod });
  await expect(refused).rejects.toThrow("this server cannot change messages yet");
});

test("one that is being upgraded says so when it is tried, until the next join", async () => {
  const channel = await join();
  expect(channel.changeable).toBe(true);
  once("react", ({ error }) => error(-32601));
  await expect(channel.react(one.seq, "👍")).rejects.toMatchObject({ code: -32601 });
  expect(channel.changeable).toBe(false);
  server.cut();
  await until("the rejoin", () => channel.changeable);
});

test("one's own reactions are known from results, answers and pushes", async () => {
  const channel = await join();
  await channel.react(one.seq, "👍");
  expect(channel.messages[0]!.mine).toEqual(["👍"]);
  await until("the counts", () => channel.messages[0]!.reactions !== undefined);
  once("react", ({ params, result }) => result({ id: params.id, seq: 0, unchanged: true }));
  expect(await channel.react(one.seq, "🎉", { remove: true })).toMatchObject({ unchanged: true });
  expect(channel.messages[0]!.mine).toEqual(["👍"]);
  // In another window of one's own.
  server.push("reacted", {
    ...{ channel: "lobby", seq: (server.seq += 2), target: one.seq },
    ...{ counts: { "🎉": 1 }, user: "ada", name: "🎉" },
  });
  await until("the other one", () => channel.messages[0]!.mine!.length === 2);
  server.mine.push({ seq: one.seq, names: ["🚀"] });
  await channel.read(one.seq);
  expect(channel.messages[0]!.mine).toEqual(["🚀"]);
});

test("who reacts is asked for by page", async () => {
  const channel = await join();
  server.intercept = (call) => {
    if (call.method !== "reactions") return false;
    call.result({ users: [{ name: "👍", user: "bob" }], more: true });
    return true;
  };
  const after = { name: "👍", user: "abe" };
  const page = await channel.reactions(one.seq, { name: "👍", after, limit: 1 });
  expect(page).toEqual({ users: [{ name: "👍", user: "bob" }], more: true });
  expect(sent("reactions")).toEqual([
    { channel: "lobby", seq: one.seq, epoch: "e1", name: "👍", after, limit: 1 },
  ]);
});

test("nothing is changed in a channel that is not joined, and leaving ends what waits", async () => {
  const channel = await join();
  server.intercept = ({ method }) => method === "edit";
  const waiting = channel.edit(one.seq, "two");
  await until("the request", () => sent("edit").length === 1);
  await channel.leave();
  await expect(waiting).rejects.toMatchObject({ code: ErrorCode.Closed });
  await expect(channel.react(one.seq, "👍")).rejects.toMatchObject({ code: ErrorCode.NotJoined });
});
