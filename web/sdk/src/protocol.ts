/**
 * The messages of the client protocol, version 1, as they are on the wire.
 * Seqs are integers that grow along a channel; two of them compare only within
 * one epoch. Times are milliseconds since the Unix epoch, for people to read.
 */

/** One message of a channel, live and in history alike. */
export interface WireMessage {
  /** The channel's name. */
  channel: string;
  /** Its position in the channel. */
  seq: number;
  /** The sender's own id for the message, unique per user and channel. */
  id: string;
  /** Who wrote it. */
  user: string;
  /** Present when the message is private to `user` and `to`. */
  to?: string;
  /** Its text. */
  body: string;
  /** Milliseconds since the Unix epoch, for people to read: `seq` orders. */
  time: number;
  /** The W3C trace id of the message's way through the system. */
  trace?: string;
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
  /** Milliseconds for which a session without the grant of history recovers; absent in an older server. */
  grace?: number;
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

export interface JoinResult {
  channel: string;
  epoch: string;
  seq: number;
  last: number;
  members: { user: string }[];
  count: number;
  messages: WireMessage[];
  more: boolean;
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
}

/** At most one of `before`, `after` and `around`; none means the newest. */
export interface HistoryQuery {
  /** Messages below this seq. */
  before?: number;
  /** Messages above this seq. */
  after?: number;
  /** Messages on both sides of this seq, itself included. */
  around?: number;
  /** The epoch in which the seq counts; the current one by default. */
  epoch?: string;
  /** 1 to 300, 50 by default. */
  limit?: number;
}

/** One page of history. */
export interface HistoryResult {
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
}

export interface MembersResult {
  members: { user: string }[];
  count: number;
}

/** Why a user left. */
export type LeaveReason = "leave" | "disconnect" | "timeout" | "forbidden";

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
  /** `forbidden`: the user may not be in it any more. */
  reason: "forbidden" | (string & {});
}

/** The pushes of one channel, by method. */
export type ChannelPush =
  | { method: "chat"; params: WireMessage & { prev: number } }
  | { method: "joined"; params: { channel: string; seq: number; user: string; time: number } }
  | {
      method: "left";
      params: { channel: string; seq: number; user: string; time: number; reason: LeaveReason };
    }
  | { method: "presence"; params: { channel: string; seq: number; count: number } };

/** The end of the pushes of a channel. */
export type RemovedPush = { method: "removed"; params: Removed & { channel: string } };

/** Everything the server sends unasked. */
export type Push = ChannelPush | RemovedPush | { method: "drain"; params: { after: number } };
