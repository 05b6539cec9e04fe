import type { ChannelOptions, ChannelState } from "./channel-types.js";
import type { Signal } from "./moderation-types.js";
import type { Changed, ChannelPush, WireMessage } from "./protocol.js";
import type { Gap } from "./timeline.js";

/** A message with its place, as it was when it came. */
export interface CoreMessage<Data = unknown> extends WireMessage<Data> {
  /** The epoch in which `seq` counts. */
  epoch: string;
}

/** How much a channel fetches and holds; see {@link ChannelOptions}. */
export type CoreOptions = Pick<ChannelOptions, "limit" | "maxMissed" | "keep">;

/** What happened in a channel beside its messages, as it is on the wire; see the client protocol. */
export type CoreEvent =
  | Exclude<ChannelPush, { method: "chat" | "changed" }>
  | { method: "changed"; params: Changed };

/** The events of a {@link CoreChannel}, and what each passes to its listeners. */
export type CoreEvents<Data = unknown> = {
  /** Every message after the first join, once and in order, missed ones too. */
  message: CoreMessage<Data>;
  /** What else happened: users came and left, messages were changed, settings too. */
  event: CoreEvent;
  /** Another user tells something that is not kept, such as `typing`. */
  signal: Signal;
  /** Joined again after a cut, after the missed messages. */
  recovered: { complete: boolean };
  /** Messages in between were too many to fetch; `history` has them. */
  gap: Gap;
  /** The log started again: so does `messages`, in another epoch. */
  reset: void;
  /** `state` changed. */
  state: ChannelState;
};
