import { find, PAGE, pagesAfter } from "./archive.js";
import type { ChannelEvents, ChannelOptions, ChannelState, Link } from "./channel-types.js";
import { Emitter } from "./emitter.js";
import { ErrorCode, ParleyError } from "./errors.js";
import { Outbox, type Outgoing, type Saved } from "./outbox.js";
import { Pass } from "./pass.js";
import type {
  Action,
  ChannelPush,
  ChatResult,
  HistoryQuery,
  HistoryResult,
  JoinResult,
  MembersResult,
  Removed,
  WireMessage,
} from "./protocol.js";
import { Requests } from "./requests.js";
import { Roster } from "./roster.js";
import { Sync, type Outcome } from "./sync.js";
import { Timeline, type Gap, type Message } from "./timeline.js";
import { handled, tooLate, Waiters, type WaitOptions } from "./wait.js";

/**
 * One channel: its messages in order, its members, its state. Made by
 * {@link Client.channel}; it stays joined over any number of connections until
 * {@link leave}.
 */
export class Channel extends Emitter<ChannelEvents> {
  /** Its name. */
  readonly name: string;
  readonly #link: Link;
  readonly #options: Required<Omit<ChannelOptions, "getToken">>;
  readonly #timeline = new Timeline();
  readonly #roster = new Roster();
  readonly #requests: Requests;
  readonly #pass: Pass;
  readonly #sync: Sync;
  readonly #outbox: Outbox;

  #state: ChannelState = "idle";
  #error: ParleyError | undefined;
  readonly #waiters = new Waiters();
  #leaving: Promise<void> = Promise.resolve();

  /** Whether the first join's result is there. */
  #started = false;
  #epoch: string | undefined;
  #partition = 0;
  #degraded = false;
  /** The newest message at the last loss of the connection, and what came since. */
  #away: { after: Message | undefined; missed: number } = { after: undefined, missed: 0 };

  /** Where the next older page begins; undefined at the channel's beginning. */
  #older: { epoch?: string } | undefined = {};
  #loading: Promise<number> | undefined;

  /** @internal */
  constructor(name: string, link: Link, options: ChannelOptions = {}) {
    super();
    this.name = name;
    this.#link = link;
    this.#options = { limit: 50, maxMissed: 2000, keep: 1000, maxPending: 1000, ...options };
    this.#requests = new Requests(link, name, () => this.emit("change", undefined));
    this.#pass = new Pass(this.#requests, link, options.getToken, () => this.#sync.join());
    this.#sync = this.#newSync();
    this.#outbox = new Outbox(
      {
        position: () => {
          const ready = this.#state === "joined" && this.#link.online && this.#sync.live;
          return ready ? this.#sync.position : undefined;
        },
        post: (message, answer) => this.#requests.post(message, answer),
        lookup: (id, after) => {
          const ask = (query: HistoryQuery) => this.history(query);
          const pages = pagesAfter(ask, after, this.#options.maxMissed, () => link.online);
          return find(pages, (m) => m.id === id && m.user === link.user);
        },
        limited: () => (this.#link.limits?.chats || this.#link.limits?.rate || 0) > 0,
        dedupe: () => this.#link.limits?.dedupe ?? 0,
        rejoin: () => this.#sync.join(),
        changed: () => this.emit("change", undefined),
      },
      this.#options.maxPending,
    );
  }

  /** What the channel is doing. */
  get state(): ChannelState {
    return this.#state;
  }

  /** Why `state` is `failed`. */
  get error(): ParleyError | undefined {
    return this.#error;
  }

  /**
   * The actions that the server refused to the user here, as far as they were
   * tried since the last join or fresh token; `chat` is writing.
   */
  get forbidden(): ReadonlySet<Action> {
    return this.#requests.forbidden;
  }

  /** The messages held, oldest first. Changed in place: copy it to keep it. */
  get messages(): readonly Message[] {
    return this.#timeline.messages;
  }

  /** The gaps between `messages`, oldest first; see {@link fill}. */
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

  /** The partition of the log that holds the channel. */
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

  /**
   * Becomes a member; resolves when the result is there, over reconnects too.
   * After {@link leave} it works like the first time, unless
   * {@link Client.channel} has made another object of this name since.
   */
  join(options: WaitOptions = {}): Promise<void> {
    if (this.#state === "joined") return Promise.resolve();
    const refusal = this.#link.adopt(this);
    if (refusal) return handled(Promise.reject(refusal));
    const joined = this.#waiters.add(options, (within) =>
      tooLate("not joined", within, this.#link.trouble ?? this.#sync.refusal?.message),
    );
    if (this.#state !== "joining") {
      this.#setState("joining");
      this.#sync.join();
    }
    return joined;
  }

  /** Stops being a member and forgets the channel. Resolves when that took effect. */
  leave(): Promise<void> {
    if (!this.#link.forget(this)) return this.#leaving; // another object may be in the channel
    this.closed(new ParleyError(ErrorCode.Closed, "the channel was left"));
    this.#sync.reset();
    this.#started = false;
    this.#epoch = undefined;
    return (this.#leaving = new Promise((resolve) => this.#requests.leave(resolve)));
  }

  /**
   * Sends a message, privately where `to` names a user. Resolves when it is
   * durable, after any number of reconnects; rejects when it cannot be sent,
   * or when nobody knows whether it was ({@link ErrorCode.Lost}): it stays in
   * `outbox` as failed then, for {@link retry} or {@link discard}.
   */
  send(body: string, options: { to?: string; id?: string } = {}): Promise<ChatResult> {
    if (this.#state === "idle" || this.#state === "failed") {
      const error = new ParleyError(ErrorCode.NotJoined, "join the channel first");
      return handled(Promise.reject(error));
    }
    return handled(this.#outbox.add(body, options.to, options.id));
  }

  /**
   * Takes up messages that an earlier client of the same user had in its
   * `outbox`, for instance before the page was loaded again. They keep their
   * ids, so that what was stored already appears once.
   */
  restore(saved: readonly Saved[]): void {
    this.#outbox.restore(saved);
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
    return this.#requests.ask("history", query, "history");
  }

  /** Puts the next older page before `messages`; resolves to how many came. */
  loadOlder(limit = 50): Promise<number> {
    this.#loading ??= handled(this.#loadOlder(limit).finally(() => (this.#loading = undefined)));
    return this.#loading;
  }

  /** Loads the next page of a gap; resolves to how many messages it brought. */
  fill(gap: Gap): Promise<number> {
    return handled(this.#fill(gap));
  }

  async #fill(gap: Gap): Promise<number> {
    const page = await this.history({ after: gap.from, epoch: gap.epoch, limit: PAGE });
    const newest = page.messages[page.messages.length - 1];
    const complete = !page.more || newest === undefined || newest.seq >= gap.to;
    const added = this.#timeline.fill(gap, page.messages, complete);
    this.#matchOutbox(added);
    this.emit("change", undefined);
    return added.length;
  }

  /** Loads the next page of members, where there are more than those at hand. */
  loadMembers(limit = 200): Promise<void> {
    const ask = (query: object) => this.#requests.ask<MembersResult>("members", query, "join");
    return handled(this.#roster.load(ask, limit).then(() => this.emit("change", undefined)));
  }

  /** The client has a session. @internal */
  connected(): void {
    if (this.#state === "joining") this.#sync.join();
  }

  /** The client lost its session; what was asked on it will not be answered. @internal */
  disconnected(): void {
    this.#pass.stop();
    this.#sync.disconnected();
    if (this.#state !== "joined") return;
    this.#away = { after: this.#timeline.newest, missed: 0 };
    this.#setState("joining");
  }

  /** The server has put this session out. @internal */
  removed({ seq, reason }: Removed): void {
    if (this.#state !== "joined" && this.#state !== "joining") return;
    this.disconnected();
    this.emit("removed", { seq, reason });
    if (reason === "forbidden" && this.#pass.replace()) return this.#sync.join();
    const data = { action: "join", channel: this.name, reason };
    this.#failed(new ParleyError(ErrorCode.Forbidden, "the server put you out of the channel", data));
  }

  /** The session has a fresh token, which may allow more. @internal */
  refreshed(): void {
    this.#requests.forget();
  }

  /** The application is done with the channel. @internal */
  closed(error: ParleyError): void {
    this.disconnected();
    this.#outbox.stop(error);
    this.#waiters.settle(error);
    this.#setState("idle");
  }

  /** A push of this channel came. @internal */
  push(push: ChannelPush): void {
    this.#sync.push(push);
    if (this.#sync.live) this.#outbox.passed(push.params.seq);
    this.emit("change", undefined);
  }

  #newSync(): Sync {
    return new Sync(
      {
        online: () => this.#link.online,
        request: (params, answer, alive) => {
          this.#requests.forget();
          this.#pass.join(params, answer, alive);
        },
        history: (query) => this.history(query),
        reconnect: (reason) => this.#link.reconnect(reason),
        restart: (epoch) => this.#restart(epoch),
        take: (messages, epoch) => this.#take(messages, epoch),
        gap: (from, to, epoch) => this.#leaveGap({ from, to, epoch }),
        presence: (push) => this.#presence(push),
        broken: (expected, got) => this.emit("broken", { expected, got }),
        joined: (result, outcome) => this.#joined(result, outcome),
        failed: (error) => this.#failed(error),
      },
      this.#options.limit,
      this.#options.maxMissed,
    );
  }

  #restart(epoch: string): void {
    const again = this.#epoch !== undefined;
    this.#epoch = epoch;
    this.#timeline.clear();
    this.#older = {};
    this.#away = { after: undefined, missed: 0 };
    if (again) this.emit("reset", undefined);
  }

  /** Adds messages at the end, and emits an event for each. */
  #take(messages: readonly WireMessage[], epoch: string): void {
    const added = this.#timeline.append(messages, epoch);
    this.#matchOutbox(added);
    if (this.#timeline.trim(this.#options.keep)) this.#older ??= {};
    if (!this.#started) return; // what the first join brings is history
    if (this.#state !== "joined") this.#away.missed += added.length;
    for (const message of added) this.emit("message", message);
  }

  #leaveGap(gap: Gap): void {
    this.#timeline.gaps.push(gap);
    this.emit("gap", gap);
  }

  #presence(push: Exclude<ChannelPush, { method: "chat" }>): void {
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

  #joined(result: JoinResult, outcome: Outcome): void {
    this.#partition = result.partition;
    this.#degraded = result.degraded ?? false;
    this.#roster.reset(result.members, result.count);
    this.#error = undefined;
    const returned = this.#started && this.#state === "joining";
    this.#started = true;
    this.#setState("joined");
    if (returned) {
      const { reason } = result;
      const complete = outcome === "complete";
      this.emit("recovered", { ...this.#away, complete, ...(reason && { reason }) });
    }
    this.#waiters.settle();
    // After this event: the pushes that waited for the result come first.
    queueMicrotask(() => this.#outbox.resume());
  }

  #failed(error: ParleyError): void {
    this.#error = error;
    this.#outbox.stop(error); // nothing can be sent before another join
    this.#waiters.settle(error);
    this.#setState("failed");
  }

  #matchOutbox(messages: readonly Message[]): void {
    for (const m of messages) if (m.user === this.#link.user) this.#outbox.arrived(m);
  }

  async #loadOlder(limit: number): Promise<number> {
    const position = this.#sync.position;
    if (!this.#older || !position) return 0;
    const oldest = this.#timeline.oldest;
    const epoch = this.#older.epoch ?? oldest?.epoch ?? position.epoch;
    const before = oldest ? oldest.seq : position.seq + 1;
    const inSameEpoch = !oldest || oldest.epoch === epoch;
    const page = await this.history({ epoch, limit, ...(inSameEpoch ? { before } : {}) });
    // The message that the page precedes is gone, or was not there yet: it would leave a gap.
    if (this.#timeline.oldest !== oldest) return oldest ? 0 : this.#loadOlder(limit);
    const added = this.#timeline.prepend(page.messages, page.epoch);
    this.#matchOutbox(added);
    if (page.more && added.length > 0) this.#older = {};
    else this.#older = page.older === undefined ? undefined : { epoch: page.older };
    this.#degraded = false;
    this.emit("change", undefined);
    return added.length;
  }

  #setState(state: ChannelState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
    this.emit("change", undefined);
  }
}
