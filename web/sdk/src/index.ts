export { Client } from "./client.js";
export type { ClientEvents, ClientOptions, ClientState } from "./client-types.js";
export { Channel } from "./channel.js";
export type { ChannelEvents, ChannelOptions, ChannelState, Recovery } from "./channel-types.js";
export type { WebSocketClass, WebSocketLike } from "./connection.js";
export {
  ErrorCode,
  ParleyError,
  UnauthorizedError,
  isTransient,
  type ErrorData,
} from "./errors.js";
export type { Outgoing, Position, Saved } from "./outbox.js";
export type { Gap, Message } from "./timeline.js";
export type { WaitOptions } from "./wait.js";
export type {
  Action,
  ChatResult,
  HelloResult,
  HistoryQuery,
  HistoryResult,
  LeaveReason,
  Limits,
  RecoveryFailure,
  Removed,
  WireMessage,
} from "./protocol.js";
