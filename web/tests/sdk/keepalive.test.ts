import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection } from "../../sdk/src/connection.ts";

/** A socket whose other end is the test. */
class Socket {
  static last: Socket;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  sent: { id: number; method: string }[] = [];
  closed: number | undefined;

  constructor() {
    Socket.last = this;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code: number): void {
    this.closed = code;
  }

  says(frame: object): void {
    this.onmessage!({ data: JSON.stringify({ jsonrpc: "2.0", ...frame }) });
  }
}

const owner = { opened: vi.fn(), pushed: vi.fn(), closed: vi.fn() };
let connection: Connection;

beforeEach(() => {
  vi.useFakeTimers();
  vi.clearAllMocks();
  connection = new Connection("ws://x/ws", Socket, owner);
  Socket.last.onopen!();
});

afterEach(() => vi.useRealTimers());

const establish = () => connection.established({ ping: 25_000, limits: { pipeline: 2, frame: 65_536 } });

test("silence is answered with a ping, any frame is a sign of life", () => {
  establish();
  vi.advanceTimersByTime(24_000);
  Socket.last.says({ method: "drain", params: { after: 1 } });
  vi.advanceTimersByTime(24_999);
  expect(Socket.last.sent).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(Socket.last.sent).toMatchObject([{ method: "ping" }]);
  Socket.last.says({ id: Socket.last.sent[0]!.id, result: {} });
  vi.advanceTimersByTime(20_000);
  expect(owner.closed).not.toHaveBeenCalled();
});

test("10 s without any frame after the ping: the connection is dead, not cleanly closed", () => {
  establish();
  const answer = vi.fn();
  connection.request("history", {}, answer);
  vi.advanceTimersByTime(25_000 + 9_999);
  expect(owner.closed).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(owner.closed).toHaveBeenCalledExactlyOnceWith(3000, "no pong", undefined);
  expect(Socket.last.closed).toBe(3000);
  expect(answer.mock.calls[0]![0]).toMatchObject({ code: -1 });
});

test("an opening that takes too long is given up, hello included", () => {
  connection.request("hello", {}, () => {});
  vi.advanceTimersByTime(10_000);
  expect(owner.closed).toHaveBeenCalledExactlyOnceWith(3000, "no connection in time", undefined);
});

test("the pipeline is never exceeded, and keeps the order", () => {
  establish();
  for (const method of ["a", "b", "c", "d"]) connection.request(method, {}, () => {});
  expect(Socket.last.sent.map((frame) => frame.method)).toEqual(["a", "b"]);
  Socket.last.says({ id: Socket.last.sent[1]!.id, result: {} });
  expect(Socket.last.sent.map((frame) => frame.method)).toEqual(["a", "b", "c"]);
});

test("what is too large for a frame is not sent", () => {
  establish();
  const answer = vi.fn();
  connection.request("chat", { body: "中".repeat(22_000) }, answer);
  expect(answer.mock.calls[0]![0]).toMatchObject({ code: 1006, data: { limit: 65_536 } });
  expect(Socket.last.sent).toEqual([]);
});

test("an answer that never comes fails alone", () => {
  establish();
  const answer = vi.fn();
  connection.request("history", {}, answer);
  for (let i = 0; i < 5; i++) {
    vi.advanceTimersByTime(8_000);
    Socket.last.says({ method: "drain", params: { after: 1 } });
  }
  expect(answer.mock.calls[0]![0]).toMatchObject({ code: -2 });
  expect(owner.closed).not.toHaveBeenCalled();
});

test("a server that does not speak JSON is left", () => {
  Socket.last.onmessage!({ data: "<html>" });
  expect(owner.closed).toHaveBeenCalledOnce();
  Socket.last.says({ method: "drain", params: { after: 1 } });
  expect(owner.pushed).not.toHaveBeenCalled();
});
