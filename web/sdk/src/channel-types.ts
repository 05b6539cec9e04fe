import type { Answer } from "./connection.js";
import type { ParleyError } from "./errors.js";
import type { Sanction, Sanctioned, Signal } from "./moderation-types.js";
import type { Content, Outgoing } from "./outbox.js";
import type {
  Action,
  ChannelPush,
  HistoryResult,
  LeaveReason,
  Limits,
  PinsResult,
  RecoveryFailure,
  Removed,
  Settings,
} from "./protocol.js";
import type { Gap, Message } from "./timeline.js";
import type { WaitOptions } from "./wait.js";

/** What a channel is doing; `joining` lasts while the connection is away, too. */
export type ChannelState = "idle" | "joining" | "joined" | "failed";

/** How a rejoin after a cut went. */
export interface Recovery<Data = unknown> {
  /** The newest message held before; undefined where there was none. */
  after: Message<Data> | undefined;
  /** How many came since. */
  missed: number;
  /** False when a gap is left, or when the log started again. */
  complete: boolean;
  /** Why the server could not return it all in one go; `forbidden`: the user has no history. */
  reason?: RecoveryFailure;
}

/** What there is to show of a {@link Channel}, as it was at a moment; it never changes. */
export interface ChannelSnapshot<Data = unknown> {
  /** What the channel was doing. */
  readonly state: ChannelState;
  /** Why `state` is `failed`. */
  readonly error: ParleyError | undefined;
  /** The messages held, oldest first: the same array until one of them changes. */
  readonly messages: readonly Message<Data>[];
  /** Own messages that did not come back yet. */
  readonly outbox: readonly Readonly<Outgoing<Data>>[];
  /** The gaps between `messages`. */
  readonly gaps: readonly Readonly<Gap>[];
  /** The users here as far as loaded: the same array until one comes or leaves. */
  readonly members: readonly string[];
  /** How many users are here. */
  readonly count: number;
  /** Whether there are messages before these. */
  readonly hasOlder: boolean;
  /** What moderators have set. */
  readonly settings: Settings;
  /** The mute that one is under. */
  readonly sanction: Sanction | undefined;
  /** The actions that were refused. */
  readonly forbidden: ReadonlySet<Action>;
}

/** The events of a {@link Channel}, and what each passes to its listeners. */
export type ChannelEvents<Data = unknown> = {
  /** Anything that can be read from the channel changed. */
  change: void;
  /** `state` changed. */
  state: ChannelState;
  /** A message that is held was edited, deleted or reacted to: `messages` has it as it is now. */
  changed: Message<Data>;
  /** `settings` changed. */
  settings: Settings;
  /** Every message after the first join, once and in order, missed ones too. */
  message: Message<Data>;
  /** A user came; absent in large channels, which only count. */
  joined: { user: string; info?: unknown; time: number };
  /** A user's last session left; absent in large channels, which only count. */
  left: { user: string; time: number; reason: LeaveReason };
  /** Joined again after a cut; comes after the missed messages. */
  recovered: Recovery<Data>;
  /** Messages in between were too many to fetch; see {@link Channel.fill}. */
  gap: Gap;
  /** The log started again: so does `messages`, in another epoch. */
  reset: void;
  /**
   * The server put this session out of the channel. The messages until
   * then stay in `messages`. Where a channel token may help, the channel tries to
   * come back (`state` is `joining`), else or then it is `failed`; after `kicked` one
   * may {@link Channel.join} again.
   */
  removed: Removed;
  /** A moderator did something about a user: told to that user and to moderators. */
  sanctioned: Sanctioned;
  /** Another user tells something that is not kept, such as `typing`. */
  signal: Signal;
  /** The server's chain of messages, or of changes, had a hole, which is being repaired. */
  broken: { expected: number; got: number };
};

/** A message, or its seq in the current epoch. */
export type Target = number | { seq: number; epoch?: string };

/** What a message that is sent may have beside its text. */
export interface SendOptions<Data = unknown> extends Omit<Content<Data>, "reply"> {
  /** The message that it answers. */
  reply?: Target;
  /** An id of one's own, unique per user and channel. */
  id?: string;
}

/** What {@link Channel.edit} changes beside the text. */
export interface EditOptions<Data = unknown> {
  /** Its new type; `text` for none. */
  type?: string;
  /** Its new data; null for none. */
  data?: Data | null;
  /** An id of one's own, unique per user and channel. */
  id?: string;
}

/** A page of {@link Channel.history}. */
export interface HistoryPage<Data = unknown> extends HistoryResult {
  /** Oldest first, as they are now. */
  messages: Message<Data>[];
}

/** The answer of {@link Channel.pins}. */
export interface PinsPage<Data = unknown> extends PinsResult {
  /** The newest pin first, as they are now. */
  messages: Message<Data>[];
}

/** How much a channel fetches and holds. */
export interface ChannelOptions {
  /** Messages fetched on the first join, 0 to 300. Default 50. */
  limit?: number;
  /** Missed messages fetched one by one before a gap is left. Default 2,000. */
  maxMissed?: number;
  /** Messages held; the oldest are forgotten beyond it. Default 1,000. */
  keep?: number;
  /**
   * Messages of one's own that may wait to be sent, and as many failed ones are
   * held; the oldest of these are forgotten beyond it. Default 1,000.
   */
  maxPending?: number;
  /**
   * Fetches a channel token for every join, the first one too; without it, what
   * the client's `getChannelToken` fetches is used where a join is refused.
   */
  getToken?: (channel: string) => string | Promise<string>;
}

/** What a client asks of its channels. */
export interface Served {
  /** The channel's name. */
  readonly name: string;
  /** Becomes a member. */
  join(options: WaitOptions): Promise<void>;
  /** @internal */
  connected(): void;
  /** @internal */
  disconnected(): void;
  /** @internal */
  refreshed(): void;
  /** @internal */
  closed(error: ParleyError): void;
  /** @internal */
  push(push: ChannelPush): void;
  /** @internal */
  removed(removed: Removed): void;
  /** @internal */
  signalled(signal: Signal): void;
}

/** What a channel needs of its client. @internal */
export interface Link {
  readonly online: boolean;
  readonly user: string | undefined;
  readonly limits: Limits | undefined;
  /** What fetches channel tokens. */
  readonly getToken: ChannelOptions["getToken"];
  /** Why the last attempt to connect failed, where none has succeeded since. */
  readonly trouble: ParleyError | undefined;
  request<Result>(method: string, params: object, answer: Answer<Result>): void;
  reconnect(reason: string): void;
  /** Takes the channel up; returns why it cannot. */
  adopt(channel: Served): ParleyError | undefined;
  /** Lets go of the channel; false when it was not the one of its name. */
  forget(channel: Served): boolean;
  /** Whether there is a channel of that name. */
  has(name: string): boolean;
}
