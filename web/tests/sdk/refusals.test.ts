import { ErrorCode } from "@parley-chat/sdk";
import { expect, test, vi } from "vitest";
import WebSocket from "ws";
import { clients, make, server } from "../support/clients.ts";
import type { Call } from "../support/fake-server.ts";
import { outcome, until } from "../support/wait.ts";

/** What a server refuses, puts off, or has of a later version. */

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
  // About once each; 8,000 times if all of them were sent again each time.
  expect(refused).toBeLessThan(450);
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
  await until("the end of the attempt", () => client.state.status === "waiting");
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
  server.push("removed", { channel: "another", seq: 1_000_000, reason: "forbidden" });
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

test.each([[-1], [Number.NaN], ["soon"], [1e12]])("a retry after %j is not a hot loop", async (retry) => {
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
