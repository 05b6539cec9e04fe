export { Client, type ClientEvents, type ClientOptions, type ClientState } from "./client.js";
export { Channel } from "./channel.js";
export type { ChannelEvents, ChannelOptions, ChannelState, Recovery } from "./channel-types.js";
export type { WebSocketClass, WebSocketLike } from "./connection.js";
export { ErrorCode, ParleyError, isTransient, type ErrorData } from "./errors.js";
export type { Outgoing, Position, Saved } from "./outbox.js";
export type { Gap, Message } from "./timeline.js";
export type { WaitOptions } from "./wait.js";
export type {
  ChatResult,
  HelloResult,
  HistoryQuery,
  HistoryResult,
  LeaveReason,
  Limits,
  WireMessage,
} from "./protocol.js";
