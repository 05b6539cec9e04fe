import { find, pagesAfter } from "./archive.js";
import type {
  ChannelEvents,
  ChannelOptions,
  ChannelSnapshot,
  ChannelState,
  Link,
  Recovery,
  SendOptions,
} from "./channel-types.js";
import { ErrorCode, ParleyError } from "./errors.js";
import { seqOf } from "./messages.js";
import { Moderation } from "./moderation.js";
import { Outbox, type Outgoing, type Saved } from "./outbox.js";
import { Pass } from "./pass.js";
import type {
  ChannelPush,
  ChatResult,
  HistoryQuery,
  HistoryResult,
  JoinResult,
  MembersResult,
  Removed,
  RepeatResult,
  Told,
} from "./protocol.js";
import { Roster } from "./roster.js";
import { snapshot } from "./snapshot.js";
import { Sync, type Outcome } from "./sync.js";
import type { Gap, Message } from "./timeline.js";
import { handled, Waiters, type WaitOptions } from "./wait.js";

/**
 * One channel: its messages in order, its members, its state. Made by
 * {@link Client.channel}; it stays joined over any number of connections until
 * {@link leave}.
 */
export class Channel<Data = unknown> extends Moderation<Data> {
  readonly #options: Required<Omit<ChannelOptions, "getToken">>;
  readonly #roster = new Roster();
  readonly #pass: Pass;
  /** @internal */
  protected sync: Sync;
  readonly #outbox: Outbox;
  #state: ChannelState = "idle";
  #error: ParleyError | undefined;
  readonly #waiters = new Waiters();
  #leaving: Promise<void> = Promise.resolve();
  #snapshot: ChannelSnapshot<Data> | undefined;
  /** Whether something may have changed since. */
  #stale = true;

  /** Whether the first join's result is there. */
  #started = false;
  #partition = 0;
  #degraded = false;
  /** The newest message at the last loss of the connection, and what came since. */
  #away: { after: Message | undefined; missed: number } = { after: undefined, missed: 0 };

  /** @internal */
  constructor(name: string, link: Link, options: ChannelOptions = {}) {
    super(name, link);
    this.#options = { limit: 50, maxMissed: 2000, keep: 1000, maxPending: 1000, ...options };
    this.#pass = new Pass(this.requests, link, options.getToken, () => this.sync.join());
    this.sync = this.#newSync();
    this.#outbox = new Outbox(
      {
        ...this.scene,
        post: (message, retry, answer) => this.requests.post(message, retry, answer),
        lookup: (id, after) => {
          const ask = (query: HistoryQuery) => this.ask<HistoryResult>("history", query);
          const pages = pagesAfter(ask, after, this.#options.maxMissed, () => link.online);
          return find(pages, (m) => m.id === id && m.user === link.user);
        },
        limited: () => (link.limits?.chats || link.limits?.rate || 0) > 0,
        changed: () => this.emit("change"),
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
   * What there is to show, as an object that never changes: the same one until
   * something does. With {@link subscribe} for React's `useSyncExternalStore`, as it is.
   */
  readonly getSnapshot = (): ChannelSnapshot<Data> => {
    if (this.#stale) this.#snapshot = snapshot<Data>(this, this.#snapshot);
    this.#stale = false;
    return this.#snapshot!;
  };

  /** Calls listener whenever {@link getSnapshot} has news, until the returned function is called. */
  readonly subscribe = (listener: () => void): (() => void) => this.on("change", () => listener());

  /** Own messages that did not come back yet, in the order they were written. */
  get outbox(): readonly Outgoing<Data>[] {
    return this.#outbox.messages as Outgoing<Data>[];
  }

  /** The users here, by name, as far as loaded; see {@link loadMembers}. */
  get members(): readonly string[] {
    return this.#roster.users;
  }

  /** What the tokens of `members` told of them when they came, any JSON, by name. */
  get infos(): ReadonlyMap<string, unknown> {
    return this.#roster.infos;
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

  /**
   * Becomes a member; resolves when the result is there, over reconnects too.
   * After {@link leave} it works like the first time, unless
   * {@link Client.channel} has made another object of this name since.
   */
  join(options: WaitOptions = {}): Promise<void> {
    if (this.#state === "joined") return Promise.resolve();
    const refusal = this.link.adopt(this);
    if (refusal) return handled(Promise.reject(refusal));
    const joined = this.#waiters.add(
      options,
      "not joined",
      () => this.link.trouble ?? this.sync.refusal,
    );
    if (this.#state !== "joining") {
      this.#setState("joining");
      this.sync.join();
    }
    return joined;
  }

  /** Stops being a member and forgets the channel. Resolves when that took effect. */
  leave(): Promise<void> {
    if (!this.link.forget(this)) return this.#leaving; // another object may be in the channel
    this.closed(new ParleyError(ErrorCode.Closed, "the channel was left"));
    this.sync = this.#newSync(); // another join is a first one
    this.#started = false;
    this.epoch = undefined;
    return (this.#leaving = new Promise((resolve) => this.requests.leave(resolve)));
  }

  /**
   * Sends a message, privately where `to` names a user. Resolves when it is
   * durable, after any number of reconnects; rejects when it cannot be sent,
   * or when nobody knows whether it was ({@link ErrorCode.Lost}): it stays in
   * `outbox` as failed then, for {@link retry} or {@link discard}.
   */
  send(body: string, options: SendOptions<Data> = {}): Promise<ChatResult | RepeatResult> {
    const { reply, ...content } = options;
    const answers = reply === undefined ? {} : { reply: seqOf(reply), ...this.in(reply) };
    return this.inside(() => this.#outbox.add(body, { ...content, ...answers }));
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

  /** Loads the next page of members, where there are more than those at hand. */
  loadMembers(limit = 200): Promise<void> {
    const ask = (query: object) => this.requests.ask<MembersResult>("members", query, "join");
    return handled(this.#roster.load(ask, limit).then(() => this.emit("change")));
  }

  /** The client has a session. @internal */
  connected(): void {
    if (this.#state === "joining") this.sync.join();
  }

  /** The client lost its session; what was asked on it will not be answered. @internal */
  disconnected(): void {
    this.#pass.stop();
    this.sync.disconnected();
    if (this.#state !== "joined") return;
    this.#away = { after: this.timeline.newest, missed: 0 };
    this.#setState("joining");
  }

  /** The server has put this session out. @internal */
  removed(removed: Removed): void {
    if (this.#state !== "joined" && this.#state !== "joining") return;
    this.disconnected();
    this.emit("removed", removed);
    const { reason } = removed;
    if (reason === "forbidden" && this.#pass.replace()) return this.sync.join();
    this.#failed(this.out(removed));
  }

  /** The session has a fresh token, which may allow more. @internal */
  refreshed(): void {
    this.requests.forget();
  }

  /** The application is done with the channel. @internal */
  closed(error: ParleyError): void {
    this.disconnected();
    this.#stop(error);
    this.#setState("idle");
  }

  /** A push of this channel came. @internal */
  push(push: ChannelPush): void {
    this.sync.push(push);
    if (this.sync.live) this.#outbox.passed(push.params.seq);
    this.emit("change");
  }

  /** @internal */
  protected override emit<Name extends keyof ChannelEvents<Data>>(
    name: Name,
    payload?: ChannelEvents<Data>[Name],
  ): void {
    this.#stale = true;
    super.emit(name, payload);
  }

  #newSync(): Sync {
    return new Sync(
      {
        online: () => this.link.online,
        request: (params, answer, alive) => {
          this.requests.forget();
          this.#pass.join(params, answer, alive);
        },
        history: (query) => this.ask("history", query),
        reconnect: (reason) => this.link.reconnect(reason),
        restart: (epoch) => this.#restart(epoch),
        take: (told, epoch) => this.#take(told, epoch),
        doubt: (upTo, until, epoch) => this.timeline.doubt(upTo, until, epoch),
        gap: (from, to, epoch) => this.#leaveGap({ from, to, epoch }),
        pushed: (push, epoch) => this.#pushed(push, epoch),
        broken: (expected, got) => this.emit("broken", { expected, got }),
        joined: (result, outcome) => this.#joined(result, outcome),
        failed: (error) => this.#failed(error),
      },
      this.#options.limit,
      this.#options.maxMissed,
    );
  }

  #restart(epoch: string): void {
    const again = this.epoch !== undefined;
    this.epoch = epoch;
    this.timeline.clear();
    this.pages.restart();
    this.#away = { after: undefined, missed: 0 };
    if (again) this.emit("reset");
  }

  /** Adds messages at the end, and emits an event for each. */
  #take(told: Told, epoch: string): void {
    const added = this.timeline.append(told, epoch);
    this.altered(this.timeline.applyAll(told, epoch));
    this.added(added);
    if (this.timeline.trim(this.#options.keep)) this.pages.trimmed();
    if (!this.#started) return; // what the first join brings is history
    if (this.#state !== "joined") this.#away.missed += added.length;
    for (const message of added) this.emit("message", message as Message<Data>);
  }

  #leaveGap(gap: Gap): void {
    this.timeline.gaps.push(gap);
    this.emit("gap", gap);
  }

  #pushed(push: Exclude<ChannelPush, { method: "chat" }>, epoch: string): void {
    switch (push.method) {
      case "changed":
        return this.apply({ edited: push.params }, epoch);
      case "reacted":
        return this.apply({ reacted: push.params }, epoch);
      case "settings":
        this.#outbox.hasten(); // slow mode may have ended
        return this.learn(push.params);
      case "sanctioned":
        return this.sanctioned(push.params);
      case "joined":
        this.#roster.joined(push.params);
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
    this.bound(result.sanction);
    this.able(result.clast !== undefined, result.settings);
    this.#roster.reset(result.members, result.count);
    this.#error = undefined;
    const returned = this.#started && this.#state === "joining";
    this.#started = true;
    this.#setState("joined");
    if (returned) {
      const { reason } = result;
      const complete = outcome === "complete";
      this.emit("recovered", { ...(this.#away as Recovery<Data>), complete, ...(reason && { reason }) });
    }
    this.#waiters.settle();
    // After this event: the pushes that waited for the result come first.
    queueMicrotask(() => {
      this.#outbox.resume();
      this.acts.flush();
    });
  }

  #failed(error: ParleyError): void {
    this.#error = error;
    this.#stop(error); // nothing can be sent before another join
    this.#setState("failed");
  }

  #stop(error: ParleyError): void {
    this.#outbox.stop(error);
    this.acts.stop(error);
    this.#waiters.settle(error);
  }

  /** @internal */
  protected added(messages: readonly Message[]): void {
    for (const m of messages) if (m.user === this.link.user) this.#outbox.arrived(m);
  }

  #setState(state: ChannelState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
    this.emit("change");
  }
}
