import { backoff } from "./backoff.js";
import type { Answer } from "./connection.js";
import { Emitter } from "./emitter.js";
import { ErrorCode, isTransient, ParleyError } from "./errors.js";
import { Outbox, type Outgoing, type Position } from "./outbox.js";
import type {
  ChannelPush,
  ChatResult,
  HistoryQuery,
  HistoryResult,
  JoinResult,
  LeaveReason,
  Limits,
  MembersResult,
  WireMessage,
} from "./protocol.js";
import { Roster } from "./roster.js";
import { Timeline, type Gap, type Message } from "./timeline.js";

/** `joining` lasts while the connection is away, too. */
export type ChannelState = "idle" | "joining" | "joined" | "failed";

/** How a rejoin after a cut went. */
export interface Recovery {
  /** The newest message held before; undefined where there was none. */
  after: Message | undefined;
  /** How many came since. */
  missed: number;
  /** False when a gap is left, or when the log began anew. */
  complete: boolean;
}

export type ChannelEvents = {
  /** Anything that can be read from the channel changed. */
  change: void;
  state: ChannelState;
  /** Every message after the first join, once and in order, missed ones too. */
  message: Message;
  joined: { user: string; time: number };
  left: { user: string; time: number; reason: LeaveReason };
  recovered: Recovery;
  /** Messages in between were too many to fetch; see {@link Channel.fill}. */
  gap: Gap;
  /** The log began anew: `messages` starts again, in another epoch. */
  reset: void;
  /** The server's chain of messages had a hole, which is being repaired. */
  broken: { expected: number; got: number };
};

export interface ChannelOptions {
  /** Messages fetched on the first join, 0 to 300. Default 50. */
  limit?: number;
  /** Missed messages fetched one by one before a gap is left. Default 2,000. */
  maxMissed?: number;
  /** Messages held; the oldest are forgotten beyond it. Default 1,000. */
  keep?: number;
  /** Messages of one's own that may wait to be sent. Default 1,000. */
  maxPending?: number;
}

/** What a channel needs of its client. @internal */
export interface Link {
  readonly online: boolean;
  readonly user: string | undefined;
  readonly limits: Limits | undefined;
  request<Result>(method: string, params: object, answer: Answer<Result>): void;
  reconnect(reason: string): void;
  forget(channel: Channel): void;
}

/** The largest page of history. */
const PAGE = 300;
/** Pushes that wait for a join's result before the connection is given up. */
const MAX_HELD = 50_000;
/** Holes in the chain in a row, after which the connection is given up. */
const MAX_BREAKS = 4;

/**
 * One channel: its messages in order, its members, its state. Made by
 * {@link Client.channel}; it stays joined over any number of connections until
 * {@link leave}.
 */
export class Channel extends Emitter<ChannelEvents> {
  readonly name: string;
  readonly #link: Link;
  readonly #options: Required<ChannelOptions>;
  readonly #timeline = new Timeline();
  readonly #roster = new Roster();
  readonly #outbox: Outbox;

  #state: ChannelState = "idle";
  #error: ParleyError | undefined;
  #waiters: { resolve(): void; reject(error: ParleyError): void }[] = [];

  /** Where the channel's pushes are: what `since` of the next join will say. */
  #position: Position | undefined;
  #last = 0;
  #joinSeq = 0;
  #partition = 0;
  #degraded = false;

  /** Pushes wait here from a join's request until its result is dealt with. */
  #held: ChannelPush[] | undefined;
  /** Counts connections, so that what began on an earlier one is recognised. */
  #generation = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #breaks = 0;

  /** Where the next older page begins; undefined at the channel's beginning. */
  #older: { epoch?: string; before?: number } | undefined = {};
  #loading: Promise<number> | undefined;

  /** @internal */
  constructor(name: string, link: Link, options: ChannelOptions = {}) {
    super();
    this.name = name;
    this.#link = link;
    this.#options = { limit: 50, maxMissed: 2000, keep: 1000, maxPending: 1000, ...options };
    this.#outbox = new Outbox(
      {
        position: () => (this.#ready ? this.#position : undefined),
        post: (message, answer) => this.#post(message, answer),
        lookup: (id, after) => this.#lookup(id, after),
        dedupe: () => this.#link.limits?.dedupe ?? 0,
        rejoin: () => this.#sendJoin(),
        changed: () => this.emit("change", undefined),
      },
      this.#options.maxPending,
    );
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Why `state` is `failed`. */
  get error(): ParleyError | undefined {
    return this.#error;
  }

  /** The messages held, oldest first. Changed in place: copy it to keep it. */
  get messages(): readonly Message[] {
    return this.#timeline.messages;
  }

  get gaps(): readonly Gap[] {
    return this.#timeline.gaps;
  }

  /** Own messages that did not come back yet, in the order they were written. */
  get outbox(): readonly Outgoing[] {
    return this.#outbox.messages;
  }

  /** The users here, by name, as far as loaded; see {@link loadMembers}. */
  get members(): readonly string[] {
    return this.#roster.users;
  }

  /** How many users are here. */
  get count(): number {
    return this.#roster.count;
  }

  /** The partition of the log in which the channel lives. */
  get partition(): number {
    return this.#partition;
  }

  /** Older history could not be read when the channel was joined. */
  get degraded(): boolean {
    return this.#degraded;
  }

  /** False once the channel's first message is held. */
  get hasOlder(): boolean {
    return this.#older !== undefined;
  }

  /** Becomes a member; resolves when the result is there, over reconnects too. */
  join(): Promise<void> {
    if (this.#state === "joined") return Promise.resolve();
    const joined = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    if (this.#state !== "joining") {
      this.#setState("joining");
      if (this.#link.online) this.#sendJoin();
    }
    return joined;
  }

  /** Stops being a member and forgets the channel. Resolves when that took effect. */
  leave(): Promise<void> {
    this.closed(new ParleyError(ErrorCode.Closed, "the channel was left"));
    this.#link.forget(this);
    return new Promise((resolve) => {
      // An error means that there is nothing left to leave.
      this.#link.request("leave", { channel: this.name }, () => resolve());
    });
  }

  /**
   * Sends a message, privately where `to` names a user. Resolves when it is
   * durable, after any number of reconnects; rejects when it cannot be sent,
   * or when nobody knows whether it was ({@link ErrorCode.Lost}): it stays in
   * `outbox` as failed then, for {@link retry} or {@link discard}.
   */
  send(body: string, options: { to?: string; id?: string } = {}): Promise<ChatResult> {
    if (this.#state === "idle" || this.#state === "failed") {
      return Promise.reject(new ParleyError(ErrorCode.NotJoined, "join the channel first"));
    }
    return this.#outbox.add(body, options.to, options.id);
  }

  /** Sends a failed message again, with the same id. */
  retry(id: string): void {
    this.#outbox.retry(id);
  }

  /** Removes a failed message from `outbox`. */
  discard(id: string): void {
    this.#outbox.discard(id);
  }

  /** Asks for a page of history as it is, without keeping it. */
  history(query: HistoryQuery = {}): Promise<HistoryResult> {
    return this.#ask("history", query);
  }

  /** Puts the next older page before `messages`; resolves to how many came. */
  loadOlder(limit = 50): Promise<number> {
    this.#loading ??= this.#loadOlder(limit).finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  /** Loads the next page of a gap; resolves to how many messages it brought. */
  async fill(gap: Gap): Promise<number> {
    const page = await this.history({ after: gap.from, epoch: gap.epoch, limit: PAGE });
    const newest = page.messages[page.messages.length - 1];
    const complete = !page.more || newest === undefined || newest.seq >= gap.to;
    const added = this.#timeline.fill(gap, page.messages, complete);
    this.#matchOutbox(added);
    this.emit("change", undefined);
    return added.length;
  }

  /** Loads the next page of members, where there are more than those at hand. */
  async loadMembers(limit = 200): Promise<void> {
    if (this.#roster.complete) return;
    const after = this.#roster.last;
    const query = after === undefined ? { limit } : { limit, after };
    const page = await this.#ask<MembersResult>("members", query);
    this.#roster.addPage(page.members, page.count);
    this.emit("change", undefined);
  }

  /** The client has a session. @internal */
  connected(): void {
    if (this.#state === "joined" || this.#state === "joining") this.#sendJoin();
  }

  /** The client lost its session; what was asked on it will not be answered. @internal */
  disconnected(): void {
    this.#generation++;
    this.#held = undefined;
    clearTimeout(this.#retry);
    if (this.#state === "joined") this.#setState("joining");
  }

  /** The application is done with the channel. @internal */
  closed(error: ParleyError): void {
    this.disconnected();
    this.#outbox.clear(error);
    this.#settleWaiters(error);
    this.#setState("idle");
  }

  /** A push of this channel came. @internal */
  push(push: ChannelPush): void {
    if (this.#held) {
      if (this.#held.push(push) > MAX_HELD) this.#link.reconnect("too much at once");
      return;
    }
    // What is at or below the join's result is part of it.
    if (!this.#position || push.params.seq <= this.#joinSeq) return;
    if (push.method === "chat") this.#chat(push.params);
    else this.#presence(push);
    this.emit("change", undefined);
  }

  #chat(message: WireMessage & { prev: number }): void {
    const position = this.#position!;
    if (message.seq <= position.seq) return;
    if (message.prev !== this.#last) return this.#repair(message.prev);
    this.#breaks = 0;
    if (message.to === undefined) this.#last = message.seq;
    position.seq = message.seq;
    const { prev: _, ...rest } = message;
    this.#take([rest]);
  }

  #presence(push: Exclude<ChannelPush, { method: "chat" }>): void {
    const position = this.#position!;
    position.seq = Math.max(position.seq, push.params.seq);
    switch (push.method) {
      case "joined":
        this.#roster.joined(push.params.user);
        this.emit("joined", push.params);
        break;
      case "left":
        this.#roster.left(push.params.user);
        this.emit("left", push.params);
        break;
      case "presence":
        this.#roster.count = push.params.count;
    }
  }

  /** A public message is missing before the one that came: joins again from before it. */
  #repair(got: number): void {
    this.emit("broken", { expected: this.#last, got });
    if (++this.#breaks > MAX_BREAKS) {
      this.#breaks = 0;
      return this.#link.reconnect("the chain of messages broke again and again");
    }
    this.#sendJoin();
  }

  get #ready(): boolean {
    return this.#state === "joined" && this.#link.online && !this.#held;
  }

  #sendJoin(): void {
    if (this.#held || !this.#link.online) return;
    this.#held = [];
    const generation = this.#generation;
    const since = this.#position && { since: this.#position.seq, epoch: this.#position.epoch };
    const params = { channel: this.name, limit: this.#options.limit, ...since };
    this.#link.request<JoinResult>("join", params, (error, result) => {
      if (generation !== this.#generation) return;
      if (error) this.#refused(error);
      else this.#received(result);
    });
  }

  #refused(error: ParleyError): void {
    if (error.code === ErrorCode.Disconnected) return;
    this.#held = undefined;
    if (isTransient(error)) {
      const wait = error.retry ?? backoff(this.#failures++);
      this.#retry = setTimeout(() => this.#sendJoin(), wait);
      return;
    }
    this.#error = error;
    this.#settleWaiters(error);
    this.#setState("failed");
  }

  #received(result: JoinResult): void {
    this.#failures = 0;
    const before = this.#position;
    if (!before || before.epoch !== result.epoch || result.reason === "epoch") {
      this.#restart(result);
      this.#settled(result);
      if (before) this.#recovered(undefined, this.messages.length, false);
      return;
    }
    const newest = this.#timeline.newest;
    const held = this.messages.length;
    if (this.#continues(result)) {
      const missed = this.#take(result.messages, false);
      this.#settled(result);
      this.#recovered(newest, missed, true);
      return;
    }
    const generation = this.#generation;
    void this.#bridge(result, before).then((complete) => {
      if (generation !== this.#generation) return;
      const missed = this.#missed(newest, held);
      this.#settled(result);
      this.#recovered(newest, missed, complete);
    });
  }

  #missed(newest: Message | undefined, held: number): number {
    const at = newest ? this.messages.indexOf(newest) : -1;
    return at < 0 && held > 0 ? this.messages.length : this.messages.length - 1 - at;
  }

  #recovered(after: Message | undefined, missed: number, complete: boolean): void {
    this.emit("recovered", { after, missed, complete });
  }

  /** Starts with what the first join of an epoch returns. */
  #restart(result: JoinResult): void {
    const again = this.#position !== undefined;
    this.#timeline.clear();
    this.#older = {};
    if (again) {
      this.emit("reset", undefined);
      this.#position = { epoch: result.epoch, seq: 0 };
      this.#take(result.messages);
      return;
    }
    this.#matchOutbox(this.#timeline.append(result.messages, result.epoch));
  }

  /** Reports whether the result holds everything since the position. */
  #continues(result: JoinResult): boolean {
    const oldest = result.messages[0];
    if (result.recovered) {
      const links = result.messages.filter((m) => m.to === undefined);
      return (links[links.length - 1]?.seq ?? this.#last) === result.last;
    }
    if (result.degraded) return false;
    return !result.more || (oldest !== undefined && oldest.seq <= this.#position!.seq);
  }

  /** Pages from the position to the result, up to a cap; reports whether it got there. */
  async #bridge(result: JoinResult, before: Position): Promise<boolean> {
    const generation = this.#generation;
    const first = result.messages[0]?.seq ?? result.seq + 1;
    const to = result.recovered ? result.seq + 1 : first;
    let complete = false;
    try {
      let after = before.seq;
      for (let left = this.#options.maxMissed; left > 0 && !complete; left -= PAGE) {
        const page = await this.#patiently({ after, limit: Math.min(PAGE, left) }, generation);
        if (generation !== this.#generation) return false;
        this.#take(page.messages.filter((m) => m.seq < to));
        const newest = page.messages[page.messages.length - 1];
        complete = !page.more || newest === undefined || newest.seq >= to;
        if (newest) after = newest.seq;
      }
    } catch {
      // History cannot be read: what is missing is said to be a gap.
    }
    if (generation !== this.#generation) return false;
    if (!complete) {
      const from = Math.max(this.#timeline.newest?.seq ?? 0, before.seq);
      const gap: Gap = { epoch: result.epoch, from, to };
      this.#timeline.gaps.push(gap);
      this.emit("gap", gap);
    }
    this.#take(result.messages);
    return complete;
  }

  /** A page of history, asked for again for as long as a short outage lasts. */
  async #patiently(query: HistoryQuery, generation: number): Promise<HistoryResult> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.history(query);
      } catch (error) {
        const known = error instanceof ParleyError && isTransient(error);
        if (!known || attempt === 3 || generation !== this.#generation) throw error;
        await new Promise((resolve) => setTimeout(resolve, error.retry ?? backoff(attempt)));
      }
    }
  }

  /** The result is dealt with: goes on live. */
  #settled(result: JoinResult): void {
    this.#position = { epoch: result.epoch, seq: result.seq };
    this.#last = result.last;
    this.#joinSeq = result.seq;
    this.#partition = result.partition;
    this.#degraded = result.degraded ?? false;
    this.#roster.reset(result.members, result.count);
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#error = undefined;
    this.#setState("joined");
    for (const push of held) this.push(push);
    this.#outbox.resume();
    this.#settleWaiters();
  }

  /** Adds messages at the end and tells the application of each; returns how many. */
  #take(messages: readonly WireMessage[], live = true): number {
    const added = this.#timeline.append(messages, this.#position!.epoch);
    this.#matchOutbox(added);
    // Only what arrives live pushes older ones out; a page being read stays.
    if (live && this.#timeline.trim(this.#options.keep)) this.#older ??= {};
    for (const message of added) this.emit("message", message);
    return added.length;
  }

  #matchOutbox(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.user === this.#link.user) this.#outbox.arrived(message);
    }
  }

  async #loadOlder(limit: number): Promise<number> {
    if (!this.#older || !this.#position) return 0;
    const oldest = this.#timeline.oldest;
    const epoch = this.#older.epoch ?? oldest?.epoch ?? this.#position.epoch;
    const before = oldest ? oldest.seq : this.#joinSeq + 1;
    const inSameEpoch = !oldest || oldest.epoch === epoch;
    const page = await this.history({ epoch, limit, ...(inSameEpoch ? { before } : {}) });
    const added = this.#timeline.prepend(page.messages, page.epoch);
    this.#matchOutbox(added);
    if (page.more && added.length > 0) this.#older = {};
    else this.#older = page.older === undefined ? undefined : { epoch: page.older };
    this.#degraded = false;
    this.emit("change", undefined);
    return added.length;
  }

  async #lookup(id: string, after: Position): Promise<WireMessage | undefined> {
    const generation = this.#generation;
    let from = after.seq;
    for (let left = this.#options.maxMissed; left > 0; left -= PAGE) {
      const query = { after: from, epoch: after.epoch, limit: PAGE };
      const page = await this.#patiently(query, generation);
      const found = page.messages.find((m) => m.id === id && m.user === this.#link.user);
      const newest = page.messages[page.messages.length - 1];
      if (found || !page.more || !newest) return found;
      from = newest.seq;
    }
    return undefined;
  }

  #post(message: Outgoing, answer: Answer<ChatResult>): void {
    const { id, body, to } = message;
    const params = { channel: this.name, id, body, ...(to === undefined ? {} : { to }) };
    this.#link.request("chat", params, answer);
  }

  #ask<Result>(method: string, query: object): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#link.request<Result>(method, { channel: this.name, ...query }, (error, result) => {
        if (error) reject(error);
        else resolve(result);
      });
    });
  }

  #setState(state: ChannelState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
    this.emit("change", undefined);
  }

  #settleWaiters(error?: ParleyError): void {
    for (const waiter of this.#waiters.splice(0)) {
      if (error) waiter.reject(error);
      else waiter.resolve();
    }
  }
}
