/**
 * The messages of the client protocol, version 1, as they are on the wire.
 * Seqs are integers that grow along a channel; two of them compare only within
 * one epoch. Times are milliseconds since the Unix epoch, for people to read.
 */

import type { Sanction, Sanctioned, Signal } from "./moderation-types.js";

/** Who acted: a user, or a key of the server's API. */
export type By =
  { readonly user: string; readonly key?: never } | { readonly key: string; readonly user?: never };

/** How many users react with a name. */
export interface Reaction {
  /** Usually an emoji; text from others all the same. */
  readonly name: string;
  /** At least 1. */
  readonly count: number;
}

/** One message of a channel; in a result it is as its changes have made it. */
export interface WireMessage<Data = unknown> {
  /** The channel's name. */
  readonly channel: string;
  /** Its position in the channel. */
  readonly seq: number;
  /** The sender's own id for the message, unique per user and channel. */
  readonly id: string;
  /** Who wrote it. */
  readonly user: string;
  /** Present when the message is private to `user` and `to`. */
  readonly to?: string;
  /** Its text. */
  readonly body: string;
  /** Milliseconds since the Unix epoch, for people to read: `seq` orders. */
  readonly time: number;
  /** The W3C trace id of the message's way through the system. */
  readonly trace?: string;
  /** What it is, for programs that show some messages in their own way; absent: text. */
  readonly type?: string;
  /** What programs make of it, any JSON. */
  readonly data?: Data;
  /** The `seq` of the message that it answers, which need not be there. */
  readonly reply?: number;
  /** The users whom it is meant for. */
  readonly mentions?: readonly string[];
  /** What the user's token told of them, any JSON. */
  readonly info?: unknown;
  /** Where no client sent it; `key` is the name of the key that did. */
  readonly origin?: "backend" | (string & {});
  /** The name of the API key, where one sent it. */
  readonly key?: string;
  /** Its newest edit. */
  readonly edited?: Readonly<{ seq: number; time: number }>;
  /** Present when it was taken away; `body` is empty then. */
  readonly deleted?: Readonly<{ seq: number; time: number; by: By; reason?: string }>;
  /** The one that has been there longest is first. */
  readonly reactions?: readonly Reaction[];
}

/** A message that was edited or deleted, or with `purge` all of a user's from `since` on. */
export interface Changed {
  /** Where in the channel that happened. */
  seq: number;
  /** The message; absent with `purge`. */
  target?: number;
  /** Milliseconds since the Unix epoch. */
  time: number;
  /** Who did it. */
  user?: string;
  /** The name of the API key that did it as that user. */
  key?: string;
  /** Who did the purge. */
  by?: By;
  /** That of the message, where it is private. */
  to?: string;
  /** What it says from then on; fields that are absent stay as they were. */
  edit?: { body: string; type?: string; data?: unknown };
  /** It is gone. */
  delete?: { reason?: string };
  /** All messages of `user` from `since` on are gone. */
  purge?: { user: string; since: number; reason?: string };
}

/** How many users react now, for the names that changed; without counts nobody knows. */
export interface Reacted {
  /** As of when. */
  seq: number;
  /** The message. */
  target?: number;
  /** By name; 0 where nobody reacts with it any more. */
  counts?: Record<string, number>;
  /** Who reacted, where it stands for one reaction. */
  user?: string;
  /** What they reacted with. */
  name?: string;
  /** They took it back. */
  remove?: boolean;
}

/** What moderators have set of a channel. */
export interface Settings {
  /** The seqs of the pinned messages, the newest pin first. */
  readonly pins: readonly number[];
  /** Seconds between two messages of a user; 0: no limit. */
  readonly slow: number;
  /** Whether nobody but moderators may write. */
  readonly frozen: boolean;
  /** What the channel is about. */
  readonly topic: string;
  /** What programs make of it, any JSON. */
  readonly data: unknown;
  /** Where in the channel it was set last; absent where nothing ever was. */
  readonly seq?: number;
  /** When that was. */
  readonly time?: number;
  /** Who did it. */
  readonly by?: By;
}

/** What the server accepts, given in the result of `hello`. */
export interface Limits {
  /** Bytes of a message's body. */
  body: number;
  /** Bytes of one frame. */
  frame: number;
  /** Channels that one session may have joined. */
  channels: number;
  /** Messages that a join with `since` returns at most. */
  recover: number;
  /** Requests that may be unanswered at a time. */
  pipeline: number;
  /** Requests per second; 0 means no limit. */
  rate: number;
  /** Joins per second; 0, or absent in an older server, means no limit. */
  joins?: number;
  /** Messages per second of a user in a channel; 0 or absent means no limit. */
  chats?: number;
  /** Events of a partition within which a repeated id is noticed. */
  dedupe: number;
  /** Members above which `presence` takes the place of `joined` and `left`. */
  presence: number;
  /** Bytes that may wait for a client that reads slowly. */
  queue: number;
  /** Bytes of an answer with messages or members; one message always fits. */
  page: number;
  /** Bytes of a message's `data`; absent in an older server. */
  data?: number;
  /** Edits of one message. */
  edits?: number;
  /** Pairs of user and name that react to one message. */
  reactions?: number;
  /** Names of reactions to one message. */
  names?: number;
  /** Milliseconds for which authors may edit and delete; 0: for ever. */
  edit_age?: number;
  /** Milliseconds for which a session without the grant of history recovers; absent in an older server. */
  grace?: number;
  /** Requests of a moderator per second; 0 or absent means no limit. */
  moderation?: number;
  /** Mutes and bans of a channel that nobody has lifted. */
  sanctions?: number;
  /** Signals per second; 0 or absent means no limit. */
  signals?: number;
}

/** What the server reports about a new session. */
export interface HelloResult {
  /** The session's id, also in the server's log. */
  session: string;
  /** The user, as the server knows them. */
  user: string;
  /** What the token tells of the user, any JSON. */
  info?: unknown;
  /** The incarnation of the connector that serves the session. */
  connector: string;
  /** The current epoch of the log. */
  epoch: string;
  /** The version of the protocol. */
  version: number;
  /** Milliseconds of silence after which the client sends `ping`. */
  ping: number;
  /** A URL with `{trace}` in it, where the server is configured with a place for traces. */
  traces?: string;
  /** What the server accepts. */
  limits: Limits;
}

/** Why a join with `since` could not return everything. */
export type RecoveryFailure = "epoch" | "too_many" | "unavailable" | "forbidden";

/** What results with messages have in common; what is not there comes from an older server. */
export interface Told {
  /** Oldest first. */
  messages: readonly WireMessage[];
  /** `messages` are as all changes up to there have made them. */
  asof?: number;
  /** The position up to which the result goes. */
  seq?: number;
  /** What was done to messages before these. */
  changes?: Changed[];
  /** The counts of those before these to which somebody reacted. */
  reacted?: { target: number; counts?: Record<string, number> }[];
  /** What the user reacts with to these messages. */
  mine?: { seq: number; names: string[] }[];
}

export interface JoinResult extends Told {
  channel: string;
  epoch: string;
  seq: number;
  last: number;
  clast?: number;
  members: Member[];
  count: number;
  messages: WireMessage[];
  more: boolean;
  settings?: Settings;
  sanction?: Sanction;
  partition: number;
  recovered?: boolean;
  reason?: RecoveryFailure;
  degraded?: boolean;
}

/** The acknowledgement of a durable message. */
export interface ChatResult {
  /** The message's id. */
  id: string;
  /** Its position in the channel. */
  seq: number;
  /** When the server took it, in milliseconds since the Unix epoch. */
  time: number;
  /** Never here; see {@link RepeatResult}. */
  repeat?: undefined;
}

/** The answer to what was sent before: it is there, and nobody knows where any more. */
export interface RepeatResult {
  /** The id of the message or change. */
  id: string;
  /** Tells it from other answers. */
  repeat: true;
  /** Not known. */
  seq?: undefined;
  /** Not known. */
  time?: undefined;
}

/** The acknowledgement of what was done in a channel. */
export type ActResult = ChatResult | RepeatResult;

/** The acknowledgement of a reaction; `unchanged`: it was so already, since `seq` or (0) ever. */
export type ReactResult = (ChatResult & { unchanged?: undefined }) | RepeatResult | Unchanged;

/** A reaction that was there, or not there, already. */
export interface Unchanged {
  /** The id of the request. */
  id: string;
  /** The position of what made it so; 0: it never was otherwise. */
  seq: number;
  /** Tells it from other answers. */
  unchanged: true;
  /** Nothing was stored. */
  time?: undefined;
  /** Never here. */
  repeat?: undefined;
}

/** At most one of `before`, `after` and `around`; none means the newest. */
export interface HistoryQuery {
  /** Messages below this seq. */
  before?: number;
  /** Messages above this seq. */
  after?: number;
  /** Messages on both sides of this seq, itself included. */
  around?: number;
  /** Answers to this message alone; not with `around`. */
  reply?: number;
  /** Messages of this user alone; not with `around`. */
  user?: string;
  /** The epoch in which the seqs count; the current one by default. */
  epoch?: string;
  /** 1 to 300, 50 by default. */
  limit?: number;
}

/** One page of history. */
export interface HistoryResult extends Told {
  /** The epoch of all messages of the page. */
  epoch: string;
  /** Oldest first. */
  messages: WireMessage[];
  /** There are older ones (with `after`: newer ones). */
  more: boolean;
  /** With `around`: there are newer ones. */
  newer?: boolean;
  /** An earlier epoch that has older messages of the channel. */
  older?: string;
  /** With `reply` or `user`: what to pass as `before` or `after` to go on. */
  next?: number;
}

/** Who reacts to a message, and with what. */
export interface Reactor {
  /** The name of the reaction. */
  name: string;
  /** Who reacts. */
  user: string;
}

/** A page of {@link Channel.reactions}. */
export interface ReactionsResult {
  /** In the order of the bytes of name and user. */
  users: Reactor[];
  /** There are more after the last one. */
  more: boolean;
}

/** The pinned messages of a channel. */
export interface PinsResult extends Told {
  /** There are more than fit into the answer; `settings.pins` has the seqs of all. */
  more: boolean;
}

/** Who is in a channel. */
export interface Member {
  user: string;
  /** What their token told of them when they came, any JSON. */
  info?: unknown;
}

export interface MembersResult {
  members: Member[];
  count: number;
}

/** Why a user left; a later server may have more, which are like `leave`. */
export type LeaveReason =
  | "leave"
  | "disconnect"
  | "timeout"
  | "kicked"
  | "banned"
  | "barred"
  | "forbidden"
  | (string & {});

/** What may be granted to a user in a channel; a later server may have more. */
export type Action =
  | "join"
  | "history"
  | "chat"
  | "private"
  | "edit"
  | "react"
  | "signal"
  | "moderate"
  | (string & {});

/** This session is out of a channel, by no wish of its own. */
export interface Removed {
  /** Where in the channel that was. */
  seq: number;
  /** `forbidden`: the user may not be in it any more; else a moderator put them out. */
  reason: "kicked" | "banned" | "forbidden" | (string & {});
  /** When a ban ends, in milliseconds since the Unix epoch; absent: when it is lifted. */
  until?: number;
}

/** The pushes of one channel, by method. */
export type ChannelPush =
  | { method: "chat"; params: WireMessage & { prev: number } }
  | {
      method: "joined";
      params: { channel: string; seq: number; user: string; info?: unknown; time: number };
    }
  | {
      method: "left";
      params: { channel: string; seq: number; user: string; time: number; reason: LeaveReason };
    }
  | { method: "presence"; params: { channel: string; seq: number; count: number } }
  | { method: "changed"; params: Changed & { channel: string; cprev: number } }
  | { method: "reacted"; params: Reacted & { channel: string } }
  | { method: "settings"; params: Settings & { channel: string; seq: number } }
  | { method: "sanctioned"; params: Sanctioned & { channel: string } };

/** The end of the pushes of a channel. */
export type RemovedPush = { method: "removed"; params: Removed & { channel: string } };

/** What has no place in the order of its channel. */
export type SignalPush = { method: "signal"; params: Signal & { channel: string } };

/** Everything the server sends unasked. */
export type Push = ChannelPush | RemovedPush | SignalPush | { method: "drain"; params: { after: number } };
