import { Client, ErrorCode, type ClientOptions, type ClientState } from "@parley-chat/sdk";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import WebSocket from "ws";
import { FakeServer, type Call } from "../support/fake-server.ts";
import { until } from "../support/wait.ts";

/** How clients and channels begin and end: again, never, or not at all. */

let server: FakeServer;
const clients: Client[] = [];

function make(options: Partial<ClientOptions> = {}): Client {
  const client = new Client({ url: options.url ?? server.url, user: "ada", WebSocket, ...options });
  clients.push(client);
  return client;
}

/** What became of a promise within a while: "pending" when nothing did. */
function outcome(promise: Promise<unknown>, within = 15_000): Promise<unknown> {
  return Promise.race([
    promise.then(
      () => "resolved",
      (error: unknown) => error,
    ),
    new Promise((resolve) => setTimeout(resolve, within, "pending")),
  ]);
}

beforeEach(async () => {
  server = await FakeServer.start();
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const client of clients.splice(0)) client.close();
  await server.stop();
});

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
    if (call.method === "leave") call.error(1005, { retry: 50 });
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
])("an address that the WebSocket refuses, %s, is said to be the cause", async (url, cause) => {
  const client = make({ url });
  const states: ClientState[] = [];
  client.on("state", (state) => states.push(state));
  const connected = client.connect();
  const joined = client.channel("lobby").join();
  for (const promise of [connected, joined, client.join("lobby")]) {
    const error = await outcome(promise, 1_000);
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
  site.on("upgrade", (_, socket) => socket.end("HTTP/1.1 404 Not Found\r\n\r\n"));
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

test("try later: it comes back after 5 to 20 s, as the server asks for", async () => {
  const random = vi.spyOn(Math, "random").mockReturnValue(0);
  vi.spyOn(Date, "now").mockReturnValue(1_790_000_000_000);
  server.intercept = ({ socket, method }) => {
    if (method !== "hello" || waits.length === 2) return false;
    socket.close(3014, "try later");
    return true;
  };
  const client = make();
  const waits: number[] = [];
  client.on("state", (state) => {
    if (state.status !== "waiting") return;
    expect(state).toMatchObject({ code: 3014, reason: "try later" });
    waits.push(state.retryAt - Date.now());
    random.mockReturnValue(1);
    queueMicrotask(() => client.wake());
  });
  await client.connect();
  expect(waits).toEqual([5_000, 20_000]);
});

test.each([
  ["closes with 3504 and no word", (call: Call) => call.socket.close(3504)],
  [
    "answers 1002 with the limit, as before that",
    (call: Call) => {
      call.error(1002, { limit: 50 });
      call.socket.close(3504, "the user has too many connections");
    },
  ],
])("too many connections: where the server %s, it stops and says so", async (_, refuse) => {
  server.intercept = (call) => (refuse(call), true);
  const client = make();
  const error = await outcome(client.connect());
  expect(error).toMatchObject({ code: 3504 });
  expect((error as Error).message).toMatch(/too many connections|error 1002/);
  expect(client.state).toMatchObject({ status: "closed", error: { code: 3504 } });
});

test("after 1005 fewer messages are sent at a time, not all that was held back", async () => {
  const channel = await make().join("lobby");
  let tokens = 20;
  let refused = 0;
  const refill = setInterval(() => (tokens = Math.min(20, tokens + 1)), 10);
  server.intercept = (call) => {
    if (call.method !== "chat" || tokens-- > 0) return false;
    tokens = 0;
    refused++;
    call.error(1005, { retry: 10 });
    return true;
  };
  await Promise.all(Array.from({ length: 150 }, (_, i) => channel.send(`${i}`)));
  clearInterval(refill);
  expect(refused).toBeLessThan(150);
  await until("all of them", () => channel.messages.length === 50 + 100);
});

test.each([
  ["http://127.0.0.1:1/chat/", "/chat/ws"],
  ["http://127.0.0.1:1", "/ws"],
  ["ws://127.0.0.1:1/else?where=1", "/else?where=1"],
])("the socket of %s is at %s", async (url, want) => {
  const asked: string[] = [];
  class Spy extends WebSocket {
    constructor(address: string) {
      super(address);
      asked.push(address);
    }
  }
  void make({ url, WebSocket: Spy as never }).connect();
  await until("a connection", () => asked.length > 0);
  expect(asked[0]).toBe(`ws://127.0.0.1:1${want}`);
});

test("what is on its way when a channel cannot be joined any more fails with it", async () => {
  const channel = await make().join("lobby");
  server.intercept = (call) => {
    if (call.method !== "join" && call.method !== "chat") return false;
    call.error(call.method === "join" ? 1002 : 1003);
    return true;
  };
  const sent = channel.send("hello");
  expect(await outcome(sent)).toMatchObject({ code: ErrorCode.Forbidden });
  expect(channel.state).toBe("failed");
  expect(channel.outbox).toMatchObject([{ body: "hello", status: "failed" }]);
});

test("an outbox goes through JSON and back, with the reasons", async () => {
  const first = make();
  const channel = await first.join("lobby");
  server.intercept = (call) => {
    if (call.method !== "chat") return false;
    if (call.params.body === "refused") call.error(1006, { limit: 3 });
    return true;
  };
  void channel.send("refused", { to: "bob" });
  void channel.send("unanswered", { to: "bob" });
  await until("the refusal", () => channel.outbox[0]!.status === "failed");
  const saved = JSON.parse(JSON.stringify(channel.outbox));
  first.close();

  server.intercept = () => false;
  const again = make().channel("lobby");
  again.restore(saved);
  await make().join("lobby");
  await clients[1]!.join("lobby");
  await until("the second one to arrive", () => again.outbox.length === 1);
  expect(again.messages).toMatchObject([{ body: "unanswered", to: "bob" }]);
  const [failed] = again.outbox;
  expect(failed).toMatchObject({ body: "refused", to: "bob", status: "failed" });
  expect(failed!.error).toMatchObject({ code: 1006, message: "error 1006", data: { limit: 3 } });
});

test("a page of history that comes too late leaves no hole", async () => {
  for (let i = 0; i < 20; i++) server.say("bob", `${i}`);
  const channel = await make({ channels: { limit: 5, keep: 6 } }).join("lobby");
  let answer = () => {};
  server.intercept = (call) => {
    if (call.method !== "history") return false;
    answer = () => server.answer(call);
    return true;
  };
  const older = channel.loadOlder(5);
  await until("the request", () => server.count("history") === 1);
  for (let i = 20; i < 24; i++) server.say("bob", `${i}`);
  await until("the newest", () => channel.messages.at(-1)!.body === "23");
  answer();
  expect(await older).toBe(0);
  expect(channel.messages.map(({ body }) => body)).toEqual(["18", "19", "20", "21", "22", "23"]);
  expect(channel.hasOlder).toBe(true);
});

test("a long reason of the server's does not keep the connection open", async () => {
  class Strict extends WebSocket {
    override close(code?: number, reason?: string): void {
      if (Buffer.byteLength(reason ?? "") > 123) throw new SyntaxError("reason too long");
      super.close(code, reason);
    }
  }
  const client = make({ WebSocket: Strict as never });
  server.intercept = ({ socket, method }) => {
    if (method !== "hello") return false;
    const error = { code: 1007, message: "的".repeat(300) };
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, error }));
    return true;
  };
  void client.connect();
  await until("the end of the attempt", () => client.state.status === "waiting", 8_000);
});

test("whoever hears that the client is closed may connect again at once", async () => {
  const client = make();
  await client.connect();
  let again: Promise<void> | undefined;
  client.on("state", ({ status }) => {
    if (status === "closed") again ??= client.connect();
  });
  client.close();
  expect(await outcome(again!)).toBe("resolved");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(client.state.status).toBe("online");
  expect(server.count("hello")).toBe(2);
});

test("pushes that a later server may have are passed over", async () => {
  const channel = await make().join("lobby");
  const heard: string[] = [];
  channel.on("message", ({ body }) => heard.push(body));
  server.push("signal", { channel: "lobby", user: "bob", data: { typing: true } });
  server.push("removed", { channel: "lobby", seq: 1_000_000, reason: "forbidden" });
  server.push("notice", null as never);
  server.say("bob", "hello");
  await until("the message", () => heard.length === 1);
  server.cut();
  server.say("bob", "again", { lose: true });
  await until("what was missed", () => heard.length === 2);
  expect(heard).toEqual(["hello", "again"]);
  expect(server.count("join")).toBe(2);
});

test.each(["null", "1", '"text"', "[]", "{}", '{"id":1}', '{"method":"chat"}'])(
  "a frame that is only %s does not end the program",
  async (frame) => {
    const channel = await make().join("lobby");
    for (const socket of server.sockets) socket.send(frame);
    server.say("bob", "hello");
    await until("the message", () => channel.messages.length === 1);
  },
);

test.each([[-1], [Number.NaN], ["soon"], [1e12]])("a retry after %j is no hot loop", async (retry) => {
  const channel = await make().join("lobby");
  server.intercept = (call) => {
    if (call.method !== "chat") return false;
    call.error(1005, { retry });
    return true;
  };
  void channel.send("hello");
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(server.count("chat")).toBeLessThan(8);
});

test("an error without data is an error", async () => {
  const client = make();
  await client.join("lobby");
  server.intercept = ({ socket, method }) => {
    if (method !== "history") return false;
    const error = { code: 1008, message: "history unavailable", data: null };
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 3, error }));
    return true;
  };
  const error = await outcome(client.channel("lobby").history());
  expect(error).toMatchObject({ code: 1008, data: {} });
  expect((error as { retry?: number }).retry).toBeUndefined();
});

test("a hole whose repair is refused for now is not asked for with every push", async () => {
  const channel = await make().join("lobby");
  let refuse = true;
  server.intercept = (call) => {
    if (call.method !== "join" || !refuse) return false;
    call.error(1005, { retry: 3_000 });
    return true;
  };
  server.say("bob", "lost", { lose: true });
  server.say("bob", "0");
  await until("the repair", () => server.count("join") === 2);
  await channel.history(); // by now it was refused
  for (let i = 1; i < 20; i++) server.say("bob", `${i}`);
  await channel.history(); // by now all of them are there
  expect(server.count("join")).toBe(2);
  refuse = false;
  await until("all of them", () => channel.messages.length === 21);
  expect(server.count("join")).toBe(3);
  expect(channel.messages.map(({ body }) => body)[0]).toBe("lost");
});
