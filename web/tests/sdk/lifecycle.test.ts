import { ErrorCode, type ClientState } from "@parley-chat/sdk";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { clients, make, server } from "../support/clients.ts";
import { outcome, until } from "../support/wait.ts";

/** How clients and channels begin and end: again, never, or not at all. */

test("a channel that was left can be joined again, and hears like the first time", async () => {
  server.say("bob", "before");
  const client = make();
  const channel = await client.join("lobby");
  const heard: string[] = [];
  const other: string[] = [];
  channel.on("message", ({ body }) => heard.push(body));
  channel.on("reset", () => other.push("reset"));
  channel.on("recovered", () => other.push("recovered"));
  await channel.leave();
  server.say("bob", "meanwhile");
  await channel.join();
  expect(client.channels.get("lobby")).toBe(channel);
  expect(server.calls.findLast(({ method }) => method === "join")!.params).toEqual({
    channel: "lobby",
    limit: 50,
  });
  expect(channel.messages.map(({ body }) => body)).toEqual(["before", "meanwhile"]);
  server.say("bob", "after");
  await until("the push", () => heard.length > 0);
  await channel.send("and back");
  await until("its own", () => heard.length > 1);
  expect(heard).toEqual(["after", "and back"]);
  expect(other).toEqual([]);

  server.cut();
  server.say("bob", "after a cut", { lose: true });
  await until("what was missed", () => heard.length > 2);
  expect(heard[2]).toBe("after a cut");
});

test("a message that arrives together with the join's result finds its listener", async () => {
  server.intercept = (call) => {
    if (call.method !== "join") return false;
    const tcp = (call.socket as unknown as { _socket: Socket })._socket;
    tcp.cork();
    server.answer(call);
    server.say("bob", "welcome");
    server.say("bob", "make yourself at home");
    tcp.uncork();
    return true;
  };
  const channel = await make().join("lobby");
  const heard: string[] = [];
  channel.on("message", ({ body }) => heard.push(body));
  await until("both", () => channel.messages.length === 2);
  expect(heard).toEqual(["welcome", "make yourself at home"]);
});

test("leaving and joining again without waiting ends in the channel", async () => {
  const channel = await make().join("lobby");
  const heard: string[] = [];
  channel.on("message", ({ body }) => heard.push(body));
  void channel.leave();
  await channel.join();
  server.say("bob", "hello");
  await until("the push", () => heard.length > 0);
  expect(channel.state).toBe("joined");
});

test("a channel that was left does not take the place of its successor", async () => {
  const client = make();
  const left = await client.join("lobby");
  await left.leave();
  const successor = await client.join("lobby");
  await expect(left.join()).rejects.toMatchObject({ code: ErrorCode.Closed });
  expect(client.channels.get("lobby")).toBe(successor);
});

test("a leave that is refused for now is repeated, and one of a channel joined again is not", async () => {
  const client = make();
  const channel = await client.join("lobby");
  let refusals = 0;
  server.intercept = (call) => {
    if (call.method !== "leave" || ++refusals > 2) return false;
    call.error(1005, { retry: 5 });
    return true;
  };
  await channel.leave();
  expect(server.count("leave")).toBe(3);

  const again = await client.join("lobby");
  server.intercept = (call) => {
    if (call.method === "leave") call.error(1005, { retry: 5_000 });
    return call.method === "leave";
  };
  const leaving = again.leave();
  await until("the refusal", () => server.count("leave") === 4);
  await again.join();
  expect(await outcome(leaving)).toBe("resolved");
  expect(server.count("leave")).toBe(4);
});

test("refused messages do not fill the outbox, and are not kept without end", async () => {
  const channel = await make({ channels: { maxPending: 10 } }).join("lobby");
  server.intercept = (call) => {
    if (call.method !== "chat" || !call.params.body.startsWith("bad")) return false;
    call.error(1006, { limit: 1 });
    return true;
  };
  for (let i = 0; i < 25; i++) {
    await expect(channel.send(`bad ${i}`)).rejects.toMatchObject({ code: ErrorCode.TooLarge });
  }
  await channel.send("good");
  await until("the good one to be back", () => channel.messages.length === 1);
  expect(channel.outbox.map(({ body }) => body)).toEqual(
    Array.from({ length: 10 }, (_, i) => `bad ${i + 15}`),
  );

  server.intercept = ({ method }) => method === "chat"; // no answer
  const waiting = Array.from({ length: 10 }, (_, i) => channel.send(`waits ${i}`));
  await expect(channel.send("one more")).rejects.toMatchObject({ code: ErrorCode.OutboxFull });
  clients[0]!.close();
  for (const send of waiting) await expect(send).rejects.toMatchObject({ code: ErrorCode.Closed });
});

test.each([
  ["ftp://127.0.0.1/ws", /ftp:\/\/127\.0\.0\.1\/ws/],
  ["mailto:ada", /mailto:ada/],
])("an address that the WebSocket refuses, %s, is named as the cause", async (url, cause) => {
  const client = make({ url });
  const states: ClientState[] = [];
  client.on("state", (state) => states.push(state));
  const connected = client.connect();
  const joined = client.channel("lobby").join();
  for (const promise of [connected, joined, client.join("lobby")]) {
    const error = await outcome(promise);
    expect(error).toMatchObject({ code: ErrorCode.BadAddress });
    expect((error as Error).message).toMatch(cause);
  }
  expect(client.state).toMatchObject({ status: "closed", error: { code: ErrorCode.BadAddress } });
});

test("nobody listens there: the wait ends when asked to, and the cause is known", async () => {
  const url = server.url;
  await server.stop();
  const lines: string[] = [];
  const client = make({ url, debug: (line) => lines.push(line) });
  void client.connect();
  await until("a failure", () => client.state.status === "waiting");
  const error = await outcome(client.connect({ timeout: 10 }));
  expect(error).toMatchObject({ code: ErrorCode.Timeout });
  expect((error as Error).message).toMatch(/ECONNREFUSED/);
  expect(client.state.status).toMatch(/waiting|connecting/); // it goes on trying
  await until("another failure", () => client.state.status === "waiting");
  expect(client.state).toMatchObject({ code: 1006, reason: expect.stringMatching(/ECONNREFUSED/) });
  expect(lines.join("\n")).toMatch(/ECONNREFUSED/);

  const controller = new AbortController();
  const stopped = [
    client.connect({ signal: controller.signal }),
    client.join("lobby", { signal: controller.signal }),
    client.channel("lobby").join({ signal: controller.signal }),
  ];
  const reason = new Error("enough");
  controller.abort(reason);
  for (const promise of stopped) expect(await outcome(promise)).toBe(reason);
  expect(await outcome(client.connect({ signal: controller.signal }))).toBe(reason);
});

test("another server's page there: the cause is its answer", async () => {
  const site = createServer((_, response) => response.writeHead(404).end());
  site.on("upgrade", (_, socket) => {
    socket.on("error", () => {}); // the client may be gone by now
    socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  try {
    const client = make({ url: `http://127.0.0.1:${(site.address() as AddressInfo).port}/other` });
    void client.connect();
    await until("a failure", () => client.state.status === "waiting");
    const error = await outcome(client.join("lobby", { timeout: 10 }));
    expect(error).toMatchObject({ code: ErrorCode.Timeout });
    expect((error as Error).message).toMatch(/404/);
  } finally {
    site.close();
  }
});

// Node 20 has none.
test.skipIf(!globalThis.WebSocket)("in Node itself the cause is known too", async () => {
  const url = server.url;
  await server.stop();
  const client = make({ url, WebSocket: globalThis.WebSocket as never });
  void client.connect();
  await until("a failure", () => client.state.status === "waiting");
  expect(client.state).toMatchObject({ reason: expect.stringMatching(/\w/) });
});

test("a token that never comes is waited for as long as a connection", async () => {
  vi.useFakeTimers();
  try {
    const client = make({ token: () => new Promise<string>(() => {}) });
    void client.connect();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(client.state).toMatchObject({ status: "waiting", reason: expect.stringMatching(/token/) });
  } finally {
    vi.useRealTimers();
  }
});

test("promises that nobody looks at do not end Node", async () => {
  const unhandled: unknown[] = [];
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", (reason) => unhandled.push(reason));
  const never = make();
  void never.connect();
  void never.channel("lobby").join();
  void never.join("other");
  never.close();

  const refused = make({ url: "ftp://127.0.0.1/" });
  void refused.connect();
  void refused.join("lobby");

  const client = make();
  server.say("bob", "one");
  server.members.add("bob");
  const lobby = await client.join("lobby", { limit: 0 });
  server.intercept = (call) => {
    if (/history|members|hello/.test(call.method)) call.error(1008);
    return call.method !== "join";
  };
  for (let i = 0; i < 3; i++) server.members.add(`user${i}`);
  server.push("joined", { channel: "lobby", seq: (server.seq += 2), user: "zoe", time: 0 });
  server.push("presence", { channel: "lobby", seq: server.seq, count: 9 });
  await until("more members than are held", () => lobby.count === 9);
  void lobby.history();
  void lobby.loadOlder();
  void lobby.fill({ epoch: "e1", from: 1, to: 9 });
  void lobby.loadMembers();
  void client.refresh();
  await until("the refusals", () => server.count("history") === 3 && server.count("hello") === 2);
  void lobby.send("no answer");
  void client.join("lobby", { signal: AbortSignal.abort() });
  client.close();
  void lobby.send("too late");
  void lobby.join();
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.removeAllListeners("unhandledRejection");
  for (const listener of listeners) process.on("unhandledRejection", listener);
  expect(unhandled).toEqual([]);
});

test("a clock that is set back does not lengthen the wait", async () => {
  vi.spyOn(Math, "random").mockReturnValue(1);
  const client = make();
  const url = server.url;
  for (let i = 0; i < 3; i++) {
    server.intercept = ({ socket, method }) => {
      if (method === "hello") socket.terminate();
      return method === "hello";
    };
    if (i === 0) void client.connect();
    const failed = server.count("hello") + 1;
    client.wake();
    await until("a failed hello", () => server.count("hello") >= failed);
    await until("the wait", () => client.state.status === "waiting");
  }
  server.intercept = () => false;
  client.wake();
  await until("online", () => client.state.status === "online");
  expect(url).toBe(server.url);

  const clock = Date.now;
  const back = vi.spyOn(Date, "now").mockImplementation(() => clock() - 3_600_000);
  const monotonic = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => monotonic() + 6_000);
  server.cut();
  await until("the wait", () => client.state.status === "waiting");
  const { retryAt } = client.state as { retryAt: number };
  expect(retryAt - Date.now()).toBeLessThanOrEqual(500);
  expect(Number.isInteger(retryAt)).toBe(true);
  back.mockRestore();
});
