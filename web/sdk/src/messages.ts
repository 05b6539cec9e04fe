import { Acts } from "./acts.js";
import type {
  ChannelEvents,
  ChannelState,
  EditOptions,
  HistoryPage,
  Link,
  PinsPage,
  Target,
} from "./channel-types.js";
import { Emitter } from "./emitter.js";
import { ErrorCode, ParleyError } from "./errors.js";
import { Pages } from "./pages.js";
import type {
  Action,
  ActResult,
  HistoryQuery,
  HistoryResult,
  PinsResult,
  Reactor,
  ReactionsResult,
  ReactResult,
  Settings,
  Told,
} from "./protocol.js";
import { Requests } from "./requests.js";
import type { Sync } from "./sync.js";
import { Timeline, type Change, type Gap, type Message } from "./timeline.js";
import { handled, type WaitOptions } from "./wait.js";

/** The part of a {@link Channel} that reads and changes messages. */
export abstract class Messages<Data = unknown> extends Emitter<ChannelEvents<Data>> {
  /** Its name. */
  readonly name: string;
  /** @internal */
  protected readonly link: Link;
  /** @internal */
  protected readonly timeline: Timeline;
  /** @internal */
  protected readonly requests: Requests;
  /** @internal */
  protected readonly pages: Pages;
  /** @internal */
  protected readonly acts: Acts;
  /** @internal */
  protected epoch: string | undefined;
  /** Where what waits to be sent finds out how things are. @internal */
  protected readonly scene = {
    position: () => {
      const ready = this.state === "joined" && this.link.online && this.sync.live;
      return ready ? this.sync.position : undefined;
    },
    dedupe: () => this.link.limits?.dedupe ?? 0,
    // Whoever was put out meanwhile stays out.
    rejoin: () => void (this.state === "joined" && this.sync.join()),
  };
  #changeable = false;
  #settings: Settings = { pins: [], slow: 0, frozen: false, topic: "", data: null };

  /** @internal */
  constructor(name: string, link: Link) {
    super();
    this.name = name;
    this.link = link;
    this.timeline = new Timeline(() => link.user);
    this.requests = new Requests(link, name, () => this.emit("change"));
    this.acts = new Acts(this.requests, { ...this.scene, unknown: () => this.able(false) });
    this.pages = new Pages(this.requests, this.timeline, {
      position: () => this.sync.position,
      changed: (added, altered = []) => {
        this.added(added);
        this.altered(altered);
        this.emit("change");
      },
    });
  }

  /** What the channel is doing. */
  abstract get state(): ChannelState;
  /** @internal */
  protected abstract sync: Sync;
  /** Messages were put among `messages`. @internal */
  protected abstract added(messages: readonly Message[]): void;

  /**
   * The actions that the server refused to the user here, as far as they were
   * tried since the last join or fresh token; `chat` is writing.
   */
  get forbidden(): ReadonlySet<Action> {
    return this.requests.forbidden;
  }

  /** The messages held, oldest first. Changed in place: copy it to keep it. */
  get messages(): readonly Message<Data>[] {
    return this.timeline.messages as Message<Data>[];
  }

  /** The gaps between `messages`, oldest first; see {@link fill}. */
  get gaps(): readonly Gap[] {
    return this.timeline.gaps;
  }

  /** False once the channel's first message is held. */
  get hasOlder(): boolean {
    return this.pages.hasOlder;
  }

  /** What moderators have set, such as the pinned messages. */
  get settings(): Settings {
    return this.#settings;
  }

  /**
   * Whether messages can be changed and have structure: false before the first
   * join, and where the server is older or still being upgraded.
   */
  get changeable(): boolean {
    return this.#changeable;
  }

  /**
   * Says what a message is from now on: one's own, or another's for a moderator.
   * Resolves when that is durable, over reconnects; rejects with
   * {@link ErrorCode.Gone}, {@link ErrorCode.Full} and the like where it cannot be.
   */
  edit(target: Target, body: string, options?: EditOptions<Data>): Promise<ActResult> {
    return this.#act("edit", "edit", target, { body, ...options });
  }

  /** Deletes a message for everybody: one's own, or another's for a moderator. */
  delete(target: Target, options?: { reason?: string; id?: string }): Promise<ActResult> {
    return this.#act("delete", "edit", target, options);
  }

  /** Reacts to a message with a name, such as an emoji, or takes that back. */
  react(
    target: Target,
    name: string,
    options?: { remove?: boolean; id?: string },
  ): Promise<ReactResult> {
    const done = this.#act<ReactResult>("react", "react", target, { name, ...options });
    const took = done.then((result) => {
      const { seq } = result;
      const { user = "" } = this.link;
      const own = { ...options, target: seqOf(target), counts: {}, user, name };
      if (seq === undefined) void this.read(target);
      else this.apply({ reacted: { ...own, seq } }, this.in(target).epoch!);
      return result;
    });
    return handled(took);
  }

  /** Pins a public message, or takes it off again; for moderators. */
  pin(target: Target, options?: { remove?: boolean; id?: string }): Promise<ActResult> {
    return this.#act("pin", "moderate", target, options);
  }

  /** Who reacts to a message: to all of it, or with one name; in the order of name and user. */
  reactions(
    target: Target,
    options?: { name?: string; after?: Reactor; limit?: number } & WaitOptions,
  ): Promise<ReactionsResult> {
    const query = { seq: seqOf(target), ...this.in(target), ...options };
    return this.requests.ask("reactions", query, "join");
  }

  /** The pinned messages, the newest pin first, without deleted ones, as many as fit. */
  pins(options?: WaitOptions): Promise<PinsPage<Data>> {
    return this.#read<PinsResult>("pins", options);
  }

  /** Asks for a page of history, without keeping it. */
  history(query?: HistoryQuery & WaitOptions): Promise<HistoryPage<Data>> {
    return this.#read<HistoryResult>("history", query);
  }

  /** Reads one message as it is now; undefined where there is none that one may see. */
  read(target: Target, options?: WaitOptions): Promise<Message<Data> | undefined> {
    const found = this.pages.read(seqOf(target), { ...this.in(target), ...options });
    return handled(found) as Promise<Message<Data> | undefined>;
  }

  /** Puts the next older page before `messages`; resolves to how many came. */
  loadOlder(limit = 50, options: WaitOptions = {}): Promise<number> {
    return this.pages.loadOlder(limit, options);
  }

  /** Loads what is around a message that is older than `messages`; a gap may be between. */
  loadAround(target: Target): Promise<void> {
    return handled(this.pages.loadAround(seqOf(target)));
  }

  /** Loads the next page of a gap; resolves to how many messages it brought. */
  fill(gap: Gap): Promise<number> {
    return handled(this.pages.fill(gap));
  }

  /** @internal */
  protected able(changeable: boolean, settings?: Settings): void {
    this.#changeable = changeable;
    if (settings) this.learn(settings);
    else this.emit("change");
  }

  /** @internal */
  protected apply(change: Change, epoch: string): void {
    this.altered(this.timeline.apply(change, epoch));
    this.emit("change");
  }

  /** @internal */
  protected altered(messages: readonly Message[]): void {
    for (const message of messages) this.emit("changed", message as Message<Data>);
  }

  /** @internal */
  protected learn(settings: Settings): void {
    const news = settings.seq !== this.#settings.seq;
    this.#settings = settings;
    if (news) this.emit("settings", settings);
    this.emit("change");
  }

  /** Asks for something, unless nothing can be asked for in the channel now. @internal */
  protected inside<Result>(ask: () => Promise<Result>): Promise<Result> {
    const out = this.state === "idle" || this.state === "failed";
    const error = new ParleyError(ErrorCode.NotJoined, "join the channel first");
    return handled(out ? Promise.reject(error) : ask());
  }

  /** @internal */
  protected ask<Result>(method: string, query: object): Promise<Result> {
    return this.requests.ask(method, query, "history");
  }

  /** Asks for messages as they are now; those of no epoch are of the current one. */
  #read<Page extends Told & { epoch?: string }>(method: string, query: object = {}) {
    const use = (page: Page) => {
      const messages = this.timeline.read(page, page.epoch ?? this.epoch!);
      return { ...page, messages: messages as Message<Data>[] };
    };
    return handled(this.pages.ask(method, query, use));
  }

  #act<Result extends ReactResult = ActResult>(
    method: string,
    action: Action,
    target: Target,
    params?: { id?: string; [name: string]: unknown },
  ): Promise<Result> {
    const full = { ...params, seq: seqOf(target), ...this.in(target) };
    return this.inside(() => this.acts.add(method, action, full));
  }

  /** The epoch in which a seq counts, where that is known. @internal */
  protected in(target: Target): { epoch?: string } {
    const epoch = (typeof target === "object" && target.epoch) || this.epoch;
    return epoch === undefined ? {} : { epoch };
  }
}

/** The seq of a message that is named by it, or at hand. */
export function seqOf(target: Target): number {
  return typeof target === "number" ? target : target.seq;
}
