import { ErrorCode, ParleyError, type ErrorData } from "./errors.js";
import type { Push } from "./protocol.js";

/** The part of the standard `WebSocket` that is used; the class of `ws` has it too. */
export interface WebSocketLike {
  /** Set by the client. */
  onopen: ((event: never) => void) | null;
  /** Set by the client. */
  onmessage: ((event: never) => void) | null;
  /** Set by the client. */
  onclose: ((event: never) => void) | null;
  /** Set by the client. */
  onerror: ((event: never) => void) | null;
  /** Queues a text frame. */
  send(data: string): void;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
}

/** A class of WebSockets: the global one, or that of `ws`. */
export type WebSocketClass = new (url: string) => WebSocketLike;

/** Called once, before any later frame is read, with an error or a result. */
export type Answer<Result> = (error: ParleyError | undefined, result: Result) => void;

/** What a connection reports to its owner. Nothing is called after `closed`. */
export interface ConnectionOwner {
  opened(): void;
  pushed(push: Push): void;
  /** `code` is the close code, 1006 where the network was cut; `cause` the socket's error. */
  closed(code: number, reason: string, cause?: unknown): void;
}

interface Response {
  method?: undefined;
  id?: number | null;
  result?: unknown;
  error?: { code: number; message: string; data?: ErrorData | null };
}

/** What an error event has in Node; in browsers it has nothing. */
interface SocketError {
  message?: string;
  error?: Error & { code?: string };
}

interface Request {
  id: number;
  method: string;
  frame: string;
  answer: Answer<never>;
}

interface Pending {
  method: string;
  answer: Answer<never>;
  timer: Timer;
}

/** How long a connection that was asked to show life may stay silent. */
const DEAD_AFTER = 10_000;
/** How long opening may take. */
const OPEN_WITHIN = 10_000;
/** How long an answer may take while other frames arrive: the server gives up after 30 s. */
const ANSWER_WITHIN = 40_000;

/**
 * One WebSocket: numbers the requests, matches the answers, keeps the
 * connection alive. It never reconnects; its owner makes another one.
 */
export class Connection {
  readonly #socket: WebSocketLike;
  readonly #owner: ConnectionOwner;
  readonly #pending = new Map<number, Pending>();
  #backlog: Request[] = [];
  /** Frames that wait, where some do; see #hold. */
  #held: unknown[] | undefined;
  #nextId = 1;
  #pipeline = 1;
  #frame = 65_536;
  #ping = 0;
  #timer: Timer;
  #ended = false;
  /** What is known of why the connection ends, where the close itself says nothing. */
  #trouble = "cannot connect";
  #cause: unknown;

  /** Throws what the WebSocket throws when it does not take the address. */
  constructor(url: string, WebSocket: WebSocketClass, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => {
      this.#trouble = "the connection was cut";
      if (!this.#ended) owner.opened();
    };
    this.#socket.onmessage = (event: { data: unknown }) => this.#arrived(event.data);
    this.#socket.onclose = (event: { code: number; reason: string }) =>
      this.#end(event.code, event.reason || (event.code === 1006 ? this.#trouble : ""));
    // A close event follows. Browsers hide the cause, Node gives it here.
    this.#socket.onerror = ({ message, error }: SocketError) => {
      this.#trouble = message || error?.code || this.#trouble;
      this.#cause = error;
    };
    this.#timer = setTimeout(() => this.close(3000, "no connection in time"), OPEN_WITHIN);
  }

  /** Applies the limits of `hello`'s result; until then one request at a time is sent. */
  established({ ping, limits }: { ping: number; limits: { pipeline: number; frame: number } }): void {
    this.#ping = ping;
    this.#pipeline = limits.pipeline;
    this.#frame = limits.frame;
    this.#heard();
    this.#sendBacklog();
  }

  /** Sends a request, after those that wait for room in the pipeline. */
  request<Result>(method: string, params: object, answer: Answer<Result>): void {
    if (this.#ended) return fail(answer, disconnected());
    const id = this.#nextId++;
    const frame = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    if (frame.length * 3 > this.#frame && encoder.encode(frame).length > this.#frame) {
      return fail(answer, new ParleyError(ErrorCode.TooLarge, "too large", { limit: this.#frame }));
    }
    this.#backlog.push({ id, method, frame, answer: answer as Answer<never> });
    this.#sendBacklog();
  }

  /** Ends the connection; the owner's `closed` is called before this returns. */
  close(code: number, reason = ""): void {
    if (this.#ended) return;
    // At most 123 bytes are allowed, and three are the most that one of these takes.
    this.#socket.close(code, reason.slice(0, 41));
    this.#end(code, reason);
  }

  /** Asks for a sign of life now, for instance when a laptop wakes up. */
  probe(): void {
    if (this.#ended || this.#ping === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(3000, "no pong"), DEAD_AFTER);
    this.request("ping", {}, () => {});
  }

  #arrived(data: unknown): void {
    if (this.#held) this.#held.push(data);
    else this.#received(data);
  }

  /**
   * Lets what awaits a join continue, and attach its listeners, before the
   * messages that came along are read: in Node one turn can bring many frames.
   */
  #hold(): void {
    const held: unknown[] = (this.#held = []);
    const release = () => {
      this.#held = undefined;
      for (const data of held) this.#arrived(data);
    };
    queueMicrotask(() => (held.length > 0 ? setTimeout(release) : release()));
  }

  #received(data: unknown): void {
    if (this.#ended) return;
    this.#heard();
    let frame: Response | Push | null;
    try {
      frame = JSON.parse(data as string);
    } catch {
      return this.close(3000, "not JSON");
    }
    if (!frame) return;
    if (frame.method !== undefined) return this.#owner.pushed(frame);
    const pending = this.#pending.get(frame.id ?? 0);
    if (!pending) return;
    this.#forget(frame.id!);
    if (frame.error) {
      const { code, message, data } = frame.error;
      fail(pending.answer, new ParleyError(code, message, data ?? undefined));
    } else {
      pending.answer(undefined, frame.result as never);
      if (pending.method === "join") this.#hold();
    }
    this.#sendBacklog();
  }

  #sendBacklog(): void {
    while (this.#pending.size < this.#pipeline) {
      const request = this.#backlog.shift();
      if (!request) return;
      const { id, method, answer } = request;
      const timer = setTimeout(() => this.#timedOut(id), ANSWER_WITHIN);
      this.#pending.set(id, { method, answer, timer });
      this.#socket.send(request.frame);
    }
  }

  #forget(id: number): void {
    clearTimeout(this.#pending.get(id)?.timer);
    this.#pending.delete(id);
  }

  #timedOut(id: number): void {
    const pending = this.#pending.get(id);
    this.#forget(id);
    if (pending) fail(pending.answer, new ParleyError(ErrorCode.Timeout, "no answer in time"));
    this.#sendBacklog();
  }

  #heard(): void {
    if (this.#ping === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.probe(), this.#ping);
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    const unanswered = [...this.#pending.values(), ...this.#backlog];
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
    this.#backlog = [];
    for (const { answer } of unanswered) fail(answer, disconnected());
    this.#owner.closed(code, reason, this.#cause);
  }
}

type Timer = ReturnType<typeof setTimeout>;

function fail(answer: Answer<never>, error: ParleyError): void {
  answer(error, undefined as never);
}

function disconnected(): ParleyError {
  return new ParleyError(ErrorCode.Disconnected, "the connection ended before the answer");
}

const encoder = new TextEncoder();
