export { Client } from "./client.js";
export type { ClientEvents, ClientOptions, ClientState } from "./client-types.js";
export { Channel } from "./channel.js";
export type {
  ChannelEvents,
  ChannelOptions,
  ChannelSnapshot,
  ChannelState,
  EditOptions,
  HistoryPage,
  PinsPage,
  Recovery,
  SendOptions,
  Target,
} from "./channel-types.js";
export type { WebSocketClass, WebSocketLike } from "./connection.js";
export {
  ErrorCode,
  ParleyError,
  UnauthorizedError,
  isTransient,
  type ErrorData,
} from "./errors.js";
export type {
  ModerationOptions,
  Sanction,
  Sanctioned,
  SanctionOptions,
  SanctionsResult,
  SetOptions,
  Signal,
} from "./moderation-types.js";
export type { Content, Outgoing, Position, Saved } from "./outbox.js";
export type { Found, SearchQuery, SearchResult } from "./search.js";
export type { Gap, Message } from "./timeline.js";
export type { WaitOptions } from "./wait.js";
export type {
  Action,
  ActResult,
  By,
  Changed,
  ChatResult,
  HelloResult,
  HistoryQuery,
  HistoryResult,
  PinsResult,
  LeaveReason,
  Limits,
  Reacted,
  Reaction,
  ReactionsResult,
  Reactor,
  ReactResult,
  RecoveryFailure,
  Removed,
  RepeatResult,
  Settings,
  Told,
  Unchanged,
  WireMessage,
} from "./protocol.js";
