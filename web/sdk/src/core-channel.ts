import { Acts } from "./acts.js";
import type { Answer } from "./connection.js";
import type { ChannelOptions, ChannelState, Link, SendOptions } from "./channel-types.js";
import type { CoreEvents, CoreMessage, CoreOptions } from "./core-types.js";
import { Emitter } from "./emitter.js";
import { ErrorCode, ParleyError } from "./errors.js";
import type { Signal } from "./moderation-types.js";
import type {
  ActResult,
  ChannelPush,
  HistoryQuery,
  HistoryResult,
  JoinResult,
  Removed,
  Told,
} from "./protocol.js";
import { Requests } from "./requests.js";
import { Sync, type Outcome } from "./sync.js";
import { handled, Waiters, type WaitOptions } from "./wait.js";

/**
 * A channel without moderation, edits, reactions, lists of members and channel tokens:
 * every message once and in order, over any cut, and messages that are sent once.
 */
export class CoreChannel<Data = unknown> extends Emitter<CoreEvents<Data>> {
  /** Its name. */
  readonly name: string;
  readonly #link: Link;
  readonly #keep: number;
  readonly #requests: Requests;
  readonly #acts: Acts;
  readonly #newSync: () => Sync;
  readonly #waiters = new Waiters();
  #sync: Sync;
  #messages: readonly CoreMessage<Data>[] = [];
  #state: ChannelState = "idle";
  #error: ParleyError | undefined;
  #started = false;
  #leaving: Promise<void> = Promise.resolve();

  /** @internal */
  constructor(name: string, link: Link, options: CoreOptions & ChannelOptions) {
    super();
    const { limit = 50, maxMissed = 2000, keep = 1000 } = options;
    this.name = name;
    this.#link = link;
    this.#keep = keep;
    this.#requests = new Requests(link, name, () => {});
    this.#newSync = () => new Sync(this.#follower, limit, maxMissed);
    this.#sync = this.#newSync();
    this.#acts = new Acts(this.#requests, {
      position: () =>
        this.#state === "joined" && link.online && this.#sync.live ? this.#sync.position : undefined,
      dedupe: () => link.limits?.dedupe ?? 0,
      rejoin: () => void (this.#state === "joined" && this.#sync.join()),
      unknown: () => {},
    });
  }

  /** What the channel is doing. */
  get state(): ChannelState {
    return this.#state;
  }

  /** Why `state` is `failed`. */
  get error(): ParleyError | undefined {
    return this.#error;
  }

  /** The messages held, oldest first, as they were when they came: another array when more do. */
  get messages(): readonly CoreMessage<Data>[] {
    return this.#messages;
  }

  /** Becomes a member; resolves when the result is there, over reconnects too. */
  join(options: WaitOptions = {}): Promise<void> {
    if (this.#state === "joined") return Promise.resolve();
    const refusal = this.#link.adopt(this);
    if (refusal) return handled(Promise.reject(refusal));
    const why = () => this.#link.trouble ?? this.#sync.refusal;
    const joined = this.#waiters.add(options, "not joined", why);
    if (this.#state !== "joining") {
      this.#setState("joining");
      this.#sync.join();
    }
    return joined;
  }

  /** Stops being a member and forgets the channel. Resolves when that took effect. */
  leave(): Promise<void> {
    if (!this.#link.forget(this)) return this.#leaving;
    this.closed(new ParleyError(ErrorCode.Closed, "the channel was left"));
    this.#sync = this.#newSync(); // another join is a first one
    this.#started = false;
    return (this.#leaving = new Promise((resolve) => this.#requests.leave(resolve)));
  }

  /**
   * Sends a message, after those before it; resolves when it is durable, after any
   * number of reconnects. It is in memory alone until then.
   */
  send(body: string, options: Omit<SendOptions<Data>, "reply"> & { reply?: number } = {}): Promise<ActResult> {
    if (this.#state === "idle" || this.#state === "failed") {
      return handled(Promise.reject(new ParleyError(ErrorCode.NotJoined, "join the channel first")));
    }
    return this.#acts.add("chat", options.to === undefined ? "chat" : "private", { body, ...options });
  }

  /** Asks for a page of history, without keeping it. */
  history(query: HistoryQuery & WaitOptions = {}): Promise<HistoryResult> {
    return this.#requests.ask("history", query, "history");
  }

  /** @internal */
  connected(): void {
    if (this.#state === "joining") this.#sync.join();
  }

  /** @internal */
  disconnected(): void {
    this.#sync.disconnected();
    if (this.#state === "joined") this.#setState("joining");
  }

  /** @internal */
  closed(error: ParleyError): void {
    this.disconnected();
    this.#stop(error);
    this.#setState("idle");
  }

  /** @internal */
  refreshed(): void {}

  /** @internal */
  removed(removed: Removed): void {
    this.disconnected();
    this.#fail(new ParleyError(ErrorCode.Forbidden, "put out of the channel", removed));
  }

  /** @internal */
  signalled(signal: Signal): void {
    this.emit("signal", signal);
  }

  /** @internal */
  push(push: ChannelPush): void {
    this.#sync.push(push);
  }

  readonly #follower = {
    online: () => this.#link.online,
    request: (params: object, answer: Answer<JoinResult>) =>
      this.#requests.send("join", params, "join", answer),
    history: (query: HistoryQuery) => this.history(query),
    reconnect: (reason: string) => this.#link.reconnect(reason),
    restart: () => {
      this.#messages = [];
      if (this.#started) this.emit("reset");
    },
    take: (told: Told, epoch: string) => this.#take(told, epoch),
    doubt: () => {},
    gap: (from: number, to: number, epoch: string) => this.emit("gap", { from, to, epoch }),
    pushed: (push: Exclude<ChannelPush, { method: "chat" }>) => this.emit("event", push),
    broken: () => {},
    joined: (_: unknown, outcome: Outcome) => {
      const returned = this.#started;
      this.#started = true;
      this.#error = undefined;
      this.#setState("joined");
      if (returned) this.emit("recovered", { complete: outcome === "complete" });
      this.#waiters.settle();
      queueMicrotask(() => this.#acts.flush());
    },
    failed: (error: ParleyError) => this.#fail(error),
  };

  #take({ messages, changes = [] }: Told, epoch: string): void {
    const newest = this.#messages.at(-1)?.seq ?? 0;
    const added = messages.filter(({ seq }) => seq > newest).map((one) => ({ ...one, epoch }));
    const all = [...this.#messages, ...(added as CoreMessage<Data>[])];
    this.#messages = all.slice(Math.max(0, all.length - this.#keep));
    for (const params of changes) this.emit("event", { method: "changed", params });
    if (!this.#started) return;
    for (const message of added) this.emit("message", message as CoreMessage<Data>);
  }

  #fail(error: ParleyError): void {
    this.#error = error;
    this.#stop(error);
    this.#setState("failed");
  }

  #stop(error: ParleyError): void {
    this.#acts.stop(error);
    this.#waiters.settle(error);
  }

  #setState(state: ChannelState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }
}
