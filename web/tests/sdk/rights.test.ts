import { ErrorCode, UnauthorizedError, type Channel, type Recovery } from "@parley-chat/sdk";
import { expect, test } from "vitest";
import { make, server } from "../support/clients.ts";
import { tokenFor, type Call } from "../support/fake-server.ts";
import { outcome, until } from "../support/wait.ts";

/** What a user may do in a channel: refusals, channel tokens, and being put out. */

/** The joins that came, in their order. */
const joins = () => server.calls.filter(({ method }) => method === "join").map(({ params }) => params);

/** Lets nobody in whose token does not please. */
function guard(pleases: (token: string | undefined) => boolean, data: object = {}): void {
  server.intercept = (call) => {
    if (call.method !== "join" || pleases(call.params.token)) return false;
    call.error(1002, { action: "join", channel: "lobby", ...data });
    return true;
  };
}

/** What the channel tells, in its order. */
function follow(channel: Channel): string[] {
  const told: string[] = [];
  channel.on("state", (state) => told.push(state));
  channel.on("removed", ({ reason }) => told.push(`removed: ${reason}`));
  channel.on("recovered", ({ missed }: Recovery) => told.push(`recovered: ${missed}`));
  return told;
}

test("a join that is not granted fails, and can be tried again", async () => {
  guard(() => false);
  const client = make();
  const channel = client.channel("lobby");
  expect(await outcome(client.join("lobby"))).toMatchObject({
    code: ErrorCode.Forbidden,
    data: { action: "join", channel: "lobby" },
  });
  expect(channel.state).toBe("failed");
  expect([...channel.forbidden]).toEqual(["join"]);
  server.intercept = () => false;
  await channel.join();
  expect([...channel.forbidden]).toEqual([]);
});

test("what is refused is known until it is allowed", async () => {
  const channel = await make().join("lobby");
  let changes = 0;
  let allowed = false;
  channel.on("change", () => changes++);
  server.intercept = (call) => {
    if (call.method !== "chat" || allowed) return false;
    call.error(1002, { action: call.params.to ? "private" : "chat", channel: "lobby" });
    return true;
  };
  expect(await outcome(channel.send("hello"))).toMatchObject({ data: { action: "chat" } });
  expect(await outcome(channel.send("hello", { to: "bob" }))).toMatchObject({ code: 1002 });
  expect([...channel.forbidden]).toEqual(["chat", "private"]);
  server.history = false;
  expect(await outcome(channel.loadOlder())).toMatchObject({ data: { action: "history" } });
  expect(channel.forbidden.has("history")).toBe(true);
  allowed = true;
  const before = changes;
  await channel.send("again");
  expect([...channel.forbidden]).toEqual(["private", "history"]);
  expect(changes).toBeGreaterThan(before);
});

test("a fresh token may allow what was refused", async () => {
  const client = make();
  const channel = await client.join("lobby");
  server.intercept = (call) => call.method === "chat" && (call.error(1002, { action: "chat" }), true);
  await outcome(channel.send("hello"));
  await client.refresh();
  expect([...channel.forbidden]).toEqual([]);
});

test("without history a recovery says that it is forbidden", async () => {
  const channel = await make().join("lobby");
  const recoveries: Recovery[] = [];
  channel.on("recovered", (recovery) => recoveries.push(recovery));
  server.history = false;
  server.cut();
  server.say("bob", "missed", { lose: true });
  await until("the recovery", () => recoveries.length === 1);
  expect(recoveries[0]).toMatchObject({ complete: false, reason: "forbidden" });
  expect(channel.forbidden.has("history")).toBe(true);
  expect(channel.gaps).toHaveLength(1);
});

test("a refused join is repeated with a channel token, which later ones bring along", async () => {
  const asked: string[] = [];
  const token = tokenFor(600);
  guard((given) => given === token);
  const client = make({
    getChannelToken: async (channel) => {
      asked.push(channel);
      return token;
    },
  });
  const channel = await client.join("lobby");
  server.cut();
  server.say("bob", "missed", { lose: true });
  await until("what was missed", () => channel.messages.length === 1);
  expect(joins().map(({ token }) => token)).toEqual([undefined, token, token]);
  expect(asked).toEqual(["lobby"]);
});

test("a channel with a getToken of its own never joins without", async () => {
  const token = tokenFor(600);
  await make().join("lobby", { getToken: () => token });
  expect(joins()).toEqual([{ channel: "lobby", limit: 50, token }]);
});

test.each(["expired", "invalid", "revoked"])(
  "a channel token that is %s is replaced once",
  async (reason) => {
    const tokens = [tokenFor(600), tokenFor(600), tokenFor(600)];
    let n = 0;
    const client = make({ channels: { getToken: () => tokens[n++]! } });
    await client.join("lobby");
    guard((token) => token === tokens[1], { reason });
    server.cut();
    await until("the one before and a fresh one", () => joins().length === 3);
    const channel = client.channel("lobby");
    await until("joined", () => channel.state === "joined");
    guard(() => false, { reason });
    server.cut();
    await until("the end", () => channel.state === "failed");
    expect(channel.error).toMatchObject({ code: 1002, data: { reason } });
    expect(joins().map(({ token }) => tokens.indexOf(token))).toEqual([0, 0, 1, 1, 2]);
  },
);

test("a channel token whose key is not known yet is sent again", async () => {
  let refusals = 2;
  guard(() => refusals-- <= 0, { reason: "retry", retry: 5 });
  const token = tokenFor(600);
  let fetched = 0;
  await make().join("lobby", { getToken: () => (fetched++, token) });
  expect(joins().map((join) => join.token)).toEqual([token, token, token]);
  expect(fetched).toBe(1);
});

test("a channel token that cannot be fetched is asked for again; an UnauthorizedError ends it", async () => {
  guard(() => false);
  const errors = [new Error("502"), new Error("503"), new UnauthorizedError("not yours")];
  const getToken = () => Promise.reject(errors.shift()!);
  const lazy = make({ getChannelToken: getToken });
  const refused = await outcome(lazy.join("lobby"));
  expect(errors).toEqual([]);
  expect(refused).toMatchObject({ code: 1002, message: "error 1002", data: { action: "join" } });
  expect(joins()).toHaveLength(1);
  // The server may have been told of a grant meanwhile, the application not.
  server.intercept = () => false;
  await lazy.channel("lobby").join();

  errors.push(new UnauthorizedError("not yours"));
  const strict = make({ channels: { getToken } });
  expect(await outcome(strict.join("lobby"))).toMatchObject({ code: 1002, message: "not yours" });
  expect(joins()).toHaveLength(2);
});

test("before a channel token runs out the membership is extended, from where it is", async () => {
  let n = 0;
  const getToken = () => {
    if (++n === 2) throw new Error("the endpoint is away");
    return tokenFor(n === 1 ? 2 : 600);
  };
  const channel = await make().join("lobby", { getToken });
  const told = follow(channel);
  server.say("bob", "hello");
  await until("the extension", () => joins().length === 2);
  expect(n).toBe(3);
  expect(joins()[1]).toMatchObject({ since: server.log[0]!.seq, epoch: "e1" });
  server.say("bob", "and on");
  await until("both", () => channel.messages.length === 2);
  expect(told).toEqual([]);
});

test("an extension that is refused ends nothing, and loses nothing", async () => {
  let n = 0;
  const channel = await make().join("lobby", { getToken: () => tokenFor(n++ === 0 ? 2 : 600) });
  const told = follow(channel);
  const held: Call[] = [];
  server.intercept = (call) => call.method === "join" && (held.push(call), true);
  await until("the extension", () => held.length === 1);
  server.say("bob", "meanwhile");
  held[0]!.error(1002, { action: "join", channel: "lobby", reason: "invalid" });
  await until("another fresh token", () => held.length === 2);
  held[1]!.error(1002, { action: "join", channel: "lobby", reason: "invalid" });
  await until("the message", () => channel.messages.length === 1);
  server.say("bob", "and on");
  await until("the next", () => channel.messages.length === 2);
  expect(told).toEqual([]);
  expect(channel.state).toBe("joined");
});

test("removed: the channel has failed, what was read stays, and one can come back", async () => {
  const channel = await make().join("lobby");
  const told = follow(channel);
  server.say("bob", "before");
  await until("the message", () => channel.messages.length === 1);
  server.intercept = ({ method }) => method === "chat"; // no answer
  const said = channel.send("too late");
  await until("it is on its way", () => server.count("chat") === 1);
  server.remove();
  expect(await outcome(said)).toMatchObject({ code: ErrorCode.Forbidden });
  expect(told).toEqual(["joining", "removed: forbidden", "failed"]);
  expect(channel.error).toMatchObject({ data: { action: "join", channel: "lobby", reason: "forbidden" } });
  expect(channel.messages.map(({ body }) => body)).toEqual(["before"]);
  expect(server.count("leave")).toBe(0);
  expect(server.count("join")).toBe(1);
  await expect(channel.send("no more")).rejects.toMatchObject({ code: ErrorCode.NotJoined });

  server.say("bob", "missed", { lose: true });
  await channel.join();
  expect(joins()[1]).toMatchObject({ since: expect.any(Number), epoch: "e1" });
  expect(channel.messages.map(({ body }) => body)).toEqual(["before", "missed"]);
  expect(told.slice(3)).toEqual(["joining", "joined", "recovered: 1"]);
});

test("removed stays removed over a reconnect", async () => {
  const client = make();
  const channel = await client.join("lobby");
  server.remove();
  await until("the end", () => channel.state === "failed");
  server.cut();
  await until("the reconnect", () => server.count("hello") === 2);
  await until("online", () => client.state.status === "online");
  await client.refresh();
  expect(server.count("join")).toBe(1);
});

test("removed: a fresh channel token leads back in", async () => {
  const tokens = [tokenFor(600), tokenFor(600)];
  let n = 0;
  const channel = await make().join("lobby", { getToken: () => tokens[n++]! });
  const told = follow(channel);
  server.remove();
  await until("joined again", () => told.length === 4);
  expect(joins().map(({ token }) => token)).toEqual(tokens);
  expect(told).toEqual(["joining", "removed: forbidden", "joined", "recovered: 0"]);
});

test("removed for another reason: nobody asks for a token", async () => {
  let n = 0;
  const channel = await make().join("lobby", { getToken: () => (n++, tokenFor(600)) });
  server.remove("kicked");
  await until("the end", () => channel.state === "failed");
  expect(channel.error).toMatchObject({ data: { reason: "kicked" } });
  expect(n).toBe(1);
});
