import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

/** A request as it came, and the way to answer it. */
export interface Call {
  method: string;
  params: Record<string, any>;
  socket: WebSocket;
  result(result: unknown): void;
  error(code: number, data?: object): void;
}

/** A token that says when it ends and nothing else; nobody checks it here. */
export function tokenFor(seconds: number, age = 0): string {
  const iat = Math.floor(Date.now() / 1000) - age;
  const claims = { iat, exp: iat + seconds, nonce: Math.random() };
  return `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
}

export interface Chat {
  seq: number;
  id: string;
  user: string;
  body: string;
  to?: string;
}

/**
 * A connector of one channel that misbehaves on demand: what a real one does
 * only when machines fail is scripted here through `intercept`.
 */
export class FakeServer {
  readonly calls: { method: string; params: Record<string, any> }[] = [];
  readonly log: Chat[] = [];
  readonly members = new Set<string>();
  readonly sockets = new Set<WebSocket>();
  epoch = "e1";
  seq = 10;
  recover = 300;
  /** Messages that a page of history holds at most, whatever is asked for. */
  page = Infinity;
  /** Whether users may read history; what they missed is too old for them then. */
  history = true;
  dedupe = 65_536;
  /** What it says of the rate of messages; it enforces none. */
  chats = 0;
  ping = 25_000;
  /** Returns true when it dealt with a request itself. */
  intercept: (call: Call) => boolean = () => false;

  readonly #server: WebSocketServer;
  readonly #users = new Map<WebSocket, string>();
  readonly #joined = new Set<WebSocket>();

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => {
        this.sockets.delete(socket);
        this.#joined.delete(socket);
      });
      socket.on("message", (data) => this.#received(socket, String(data)));
    });
  }

  static async start(): Promise<FakeServer> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await new Promise((resolve) => server.once("listening", resolve));
    return new FakeServer(server);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ws`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Cuts every connection as a network does. */
  cut(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  close(code: number): void {
    for (const socket of this.sockets) socket.close(code);
  }

  /** Writes a message into the log and pushes it, unless it is to be lost. */
  say(user: string, body: string, options: Partial<Chat> & { lose?: boolean } = {}): Chat {
    const { lose = false, ...rest } = options;
    const prev = this.#lastPublic();
    this.seq += 2;
    const chat: Chat = { seq: this.seq, id: `${user}-${this.seq}`, user, body, ...rest };
    this.log.push(chat);
    if (!lose) this.push("chat", { ...this.#wire(chat), prev });
    return chat;
  }

  push(method: string, params: object): void {
    const frame = JSON.stringify({ jsonrpc: "2.0", method, params });
    for (const socket of this.#joined) socket.send(frame);
  }

  /** Puts everybody out of the channel. */
  remove(reason = "forbidden"): void {
    this.push("removed", { channel: "lobby", seq: (this.seq += 2), reason });
    this.#joined.clear();
  }

  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  #lastPublic(): number {
    return this.log.findLast((chat) => chat.to === undefined)?.seq ?? 0;
  }

  #wire(chat: Chat): object {
    return { channel: "lobby", time: 1_790_000_000_000 + chat.seq * 1000, ...chat };
  }

  #received(socket: WebSocket, text: string): void {
    const { id, method, params } = JSON.parse(text);
    this.calls.push({ method, params });
    const reply = (body: object) => socket.send(JSON.stringify({ jsonrpc: "2.0", id, ...body }));
    const call: Call = {
      method,
      params,
      socket,
      result: (result) => reply({ result }),
      error: (code, data) => reply({ error: { code, message: `error ${code}`, data } }),
    };
    if (!this.intercept(call)) this.answer(call);
  }

  /** What an orderly server answers. */
  answer(call: Call): void {
    const { method, params, socket } = call;
    switch (method) {
      case "hello":
        this.#users.set(socket, params.user);
        return call.result(this.#hello(params.user));
      case "join":
        this.seq += 2;
        this.members.add(this.#users.get(socket)!);
        call.result(this.#join(params));
        this.#joined.add(socket);
        return;
      case "chat": {
        const known = this.log.find((chat) => chat.id === params.id);
        const { id, body, to } = params;
        const said = known ?? this.say(this.#users.get(socket)!, body, { id, ...(to && { to }) });
        return call.result({ id, seq: said.seq, time: 0 });
      }
      case "history":
        if (!this.history) return call.error(1002, { action: "history", channel: "lobby" });
        return call.result(this.#history(params));
      case "leave":
        this.#joined.delete(socket);
        return call.result({});
      default:
        return call.result({});
    }
  }

  #hello(user: string): object {
    return {
      session: "s",
      user,
      connector: "c",
      epoch: this.epoch,
      version: 1,
      ping: this.ping,
      limits: {
        body: 4096,
        frame: 65_536,
        channels: 128,
        recover: this.recover,
        pipeline: 1000,
        rate: 0,
        joins: 0,
        chats: this.chats,
        dedupe: this.dedupe,
        presence: 1000,
        queue: 4_194_304,
        page: 1_048_576,
      },
    };
  }

  #join(params: Record<string, any>): object {
    const limit = params.limit ?? 50;
    const since = params.since as number | undefined;
    const missed = this.log.filter((chat) => chat.seq > (since ?? 0));
    let outcome: object = {};
    let messages = limit === 0 ? [] : this.log.slice(-limit);
    if (since !== undefined && params.epoch !== this.epoch) {
      outcome = { recovered: false, reason: "epoch" };
    } else if (since !== undefined && missed.length > this.recover) {
      outcome = { recovered: false, reason: "too_many" };
    } else if (since !== undefined) {
      outcome = { recovered: true };
      messages = missed;
    }
    if (!this.history) {
      messages = [];
      outcome = since === undefined ? {} : { recovered: false, reason: "forbidden" };
    }
    return {
      channel: "lobby",
      epoch: this.epoch,
      seq: this.seq,
      last: this.#lastPublic(),
      members: [...this.members].sort().map((user) => ({ user })),
      count: this.members.size,
      messages: messages.map((chat) => this.#wire(chat)),
      more: this.history && messages.length < this.log.length,
      partition: 3,
      ...outcome,
    };
  }

  #history(params: Record<string, any>): object {
    const limit = Math.min(params.limit ?? 50, this.page);
    const { before = Infinity, after } = params;
    const found = this.log.filter((chat) => chat.seq < before && chat.seq > (after ?? 0));
    const page = after === undefined ? found.slice(-limit) : found.slice(0, limit);
    return {
      epoch: this.epoch,
      messages: page.map((chat) => this.#wire(chat)),
      more: page.length < found.length,
    };
  }
}
