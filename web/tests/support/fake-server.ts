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

/** An edit, a deletion, a purge, or the counts of reactions as of then. */
export interface Change {
  seq: number;
  target?: number;
  user?: string;
  to?: string;
  edit?: { body: string; type?: string; data?: unknown };
  delete?: { reason?: string };
  purge?: { user: string; since: number };
  counts?: Record<string, number>;
}

/**
 * A connector of one channel that misbehaves on demand: what a real one does
 * only when machines fail is scripted here through `intercept`.
 */
export class FakeServer {
  readonly calls: { method: string; params: Record<string, any> }[] = [];
  readonly log: Chat[] = [];
  readonly changes: Change[] = [];
  /** What users react with to messages, in results, by seq. */
  readonly mine: { seq: number; names: string[] }[] = [];
  /** 1: it knows no changes. */
  format = 2;
  readonly members = new Set<string>();
  /** What is set of the channel. */
  settings: Record<string, unknown> = { slow: 0, frozen: false, topic: "", data: null, pins: [] };
  /** The mute of whoever joins. */
  sanction: object | undefined;
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
    if (!lose) this.push("chat", { ...this.#wire(chat, false), prev });
    return chat;
  }

  push(method: string, params: object): void {
    const frame = JSON.stringify({ jsonrpc: "2.0", method, params });
    for (const socket of this.#joined) socket.send(frame);
  }

  /** Writes a change into the log and pushes it, unless it is to be lost. */
  change(what: Omit<Change, "seq">, lose = false): Change {
    const cprev = this.#lastChange();
    const change = { seq: (this.seq += 2), ...what };
    this.changes.push(change);
    const method = what.counts ? "reacted" : "changed";
    if (!lose) this.push(method, { ...this.#told(change), ...(what.counts ? {} : { cprev }) });
    return change;
  }

  edit(target: number, body: string, lose = false): Change {
    return this.change({ target, user: "bob", edit: { body } }, lose);
  }

  erase(target: number, lose = false): Change {
    return this.change({ target, user: "bob", delete: {} }, lose);
  }

  /** Puts everybody out of the channel. */
  remove(reason = "forbidden", more: object = {}): void {
    this.push("removed", { channel: "lobby", seq: (this.seq += 2), reason, ...more });
    this.#joined.clear();
  }

  /** Tells of a sanction, by bob. */
  sanctions(user: string, action: string, more: object = {}): number {
    const seq = (this.seq += 2);
    const what = { channel: "lobby", seq, user, action, by: { user: "bob" }, time: seq * 1000 };
    this.push("sanctioned", { ...what, ...more });
    return seq;
  }

  /** Sets something of the channel, and tells of it. */
  set(more: object): void {
    this.settings = { ...this.settings, ...more, seq: (this.seq += 2) };
    this.push("settings", { channel: "lobby", ...this.settings });
  }

  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  #lastPublic(): number {
    return this.log.findLast((chat) => chat.to === undefined)?.seq ?? 0;
  }

  #lastChange(): number {
    return this.changes.findLast(({ to, counts }) => to === undefined && !counts)?.seq ?? 0;
  }

  #told(change: Change): object {
    return { channel: "lobby", time: change.seq * 1000, id: `c${change.seq}`, ...change };
  }

  /** A message as all changes up to now have made it. */
  #wire(chat: Chat, folded = true): object {
    let shown: Record<string, unknown> = { channel: "lobby", time: chat.seq * 1000, ...chat };
    for (const { seq, target, edit, delete: gone, purge, counts } of folded ? this.changes : []) {
      const hit = purge && purge.user === chat.user && purge.since <= chat.seq && chat.seq < seq;
      if (target !== chat.seq && !hit) continue;
      const { deleted, ...rest } = shown;
      const now = { seq, time: seq * 1000 };
      if (deleted) continue;
      if (edit) shown = { ...rest, ...edit, edited: now };
      if (counts) shown["reactions"] = Object.entries(counts).map(([name, count]) => ({ name, count }));
      if (gone || hit) shown = { channel: "lobby", seq: chat.seq, id: chat.id, user: chat.user, time: 0, body: "", deleted: { ...now, by: { user: "bob" } } };
    }
    return shown;
  }

  /** What was done in (from, to] to messages up to `from`. */
  #since(from: number, to = Infinity): Change[] {
    const known = ({ target, purge }: Change) => (target ?? purge!.since) <= from;
    return this.changes.filter((change) => change.seq > from && change.seq <= to && known(change));
  }

  /** The fields of a result that tell of changes. */
  #tells(changes: Change[], seqs: number[]): object {
    if (this.format < 2) return {};
    const counts = new Map<number, Record<string, number>>();
    for (const change of changes) {
      if (change.counts) counts.set(change.target!, { ...counts.get(change.target!), ...change.counts });
    }
    return {
      asof: this.seq,
      changes: changes.filter((change) => !change.counts).map((change) => this.#told(change)),
      reacted: [...counts].map(([target, counts]) => ({ target, counts })),
      mine: this.mine.filter(({ seq }) => seqs.includes(seq)),
    };
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
        const { channel: _1, retry: _2, ...chat } = params;
        const said = known ?? this.say(this.#users.get(socket)!, params.body, chat);
        return call.result({ id: params.id, seq: said.seq, time: 0 });
      }
      case "edit":
      case "delete":
      case "react":
      case "pin":
        if (this.format < 2) return call.error(-32601);
        return call.result({ id: params.id, seq: this.#act(call), time: 0 });
      case "mute":
      case "ban":
      case "kick":
      case "lift":
      case "purge":
      case "set":
        return call.result({ id: params.id, seq: (this.seq += 2), time: 0 });
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

  #act({ method, params, socket }: Call): number {
    const { seq: target, body, name, remove } = params;
    const user = this.#users.get(socket)!;
    if (method === "edit") return this.change({ target, user, edit: { body } }).seq;
    if (method === "delete") return this.change({ target, user, delete: {} }).seq;
    if (method === "react") return this.change({ target, counts: { [name]: remove ? 0 : 1 } }).seq;
    this.set({ pins: [target] });
    return this.seq;
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
    let changes: Change[] = [];
    let messages = limit === 0 ? [] : this.log.slice(-limit);
    if (since !== undefined && params.epoch !== this.epoch) {
      outcome = { recovered: false, reason: "epoch" };
    } else if (since !== undefined && missed.length + this.#since(since).length > this.recover) {
      outcome = { recovered: false, reason: "too_many" };
    } else if (since !== undefined) {
      outcome = { recovered: true };
      messages = missed;
      changes = this.#since(since);
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
      ...(this.format < 2 ? {} : { clast: this.#lastChange(), settings: this.settings }),
      ...(this.sanction && { sanction: this.sanction }),
      ...this.#tells(changes, messages.map(({ seq }) => seq)),
      ...outcome,
    };
  }

  #history(params: Record<string, any>): object {
    const limit = Math.min(params.limit ?? 50, this.page);
    const { before = Infinity, after, around } = params;
    if (around !== undefined) return this.#around(around, limit);
    const found = this.log.filter((chat) => chat.seq < before && chat.seq > (after ?? 0));
    const page = after === undefined ? found.slice(-limit) : found.slice(0, limit);
    let more = page.length < found.length;
    let seq = more ? page.at(-1)!.seq : this.seq;
    let changes = after === undefined ? [] : this.#since(after, seq);
    if (after !== undefined && this.format > 1 && page.length + changes.length > limit) {
      // Both count: the page ends where as many of either are in it.
      const all = [...page.map((chat) => chat.seq), ...changes.map((change) => change.seq)];
      seq = all.sort((a, b) => a - b)[limit - 1]!;
      changes = this.#since(after, seq);
      page.splice(page.findLastIndex((chat) => chat.seq <= seq) + 1);
      more = true;
    }
    return {
      epoch: this.epoch,
      messages: page.map((chat) => this.#wire(chat)),
      more,
      ...this.#tells(changes, page.map((chat) => chat.seq)),
      ...(after === undefined || this.format < 2 ? {} : { seq }),
    };
  }

  #around(around: number, limit: number): object {
    const at = this.log.findIndex((chat) => chat.seq >= around);
    const from = Math.max(0, at - Math.floor(limit / 2));
    const page = this.log.slice(from, from + limit);
    return {
      epoch: this.epoch,
      messages: page.map((chat) => this.#wire(chat)),
      more: from > 0,
      newer: from + limit < this.log.length,
      ...this.#tells([], page.map((chat) => chat.seq)),
    };
  }
}
