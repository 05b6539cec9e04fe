import type { Target } from "./channel-types.js";
import type { By } from "./protocol.js";

/** A mute or a ban that nobody has lifted. */
export interface Sanction {
  /** Whom it binds. */
  readonly user: string;
  /** What it is. */
  readonly action: "mute" | "ban";
  /** When it ends, in milliseconds since the Unix epoch; absent: when it is lifted. */
  readonly until?: number;
  /** Why, for people. */
  readonly reason?: string;
  /** Who did it. */
  readonly by: By;
  /** Where in the channel that was. */
  readonly seq: number;
}

/** What a moderator did about a user: told to that user, and to moderators. */
export interface Sanctioned {
  /** Where in the channel that was. */
  seq: number;
  /** Whom it is about. */
  user: string;
  /** What was done. */
  action: "mute" | "ban" | "kick" | "lift" | (string & {});
  /** With `lift`: what was lifted; absent: both. */
  lifted?: "mute" | "ban";
  /** When it ends, in milliseconds since the Unix epoch; absent: when it is lifted. */
  until?: number;
  /** Why, for people. */
  reason?: string;
  /** Who did it. */
  by: By;
  /** When, in milliseconds since the Unix epoch. */
  time: number;
}

/** What another user tells those who are in the channel now. */
export interface Signal {
  /** Who does. */
  user: string;
  /** What it is, for example `typing`. */
  name: string;
  /** What programs make of it, any JSON. */
  data?: unknown;
  /** When, in milliseconds since the Unix epoch. */
  time: number;
}

/** The mutes and bans of a channel, by user. */
export interface SanctionsResult {
  /** In the order of the bytes of the users' names; those that have ended by themselves, too. */
  sanctions: Sanction[];
  /** There are more, of users after the last one. */
  more: boolean;
}

/** What all that a moderator does can have. */
export interface ModerationOptions {
  /** Why, for people; up to 512 bytes. */
  reason?: string;
  /** An id of one's own, unique per user and channel. */
  id?: string;
}

/** How a user is muted or banned. */
export interface SanctionOptions extends ModerationOptions {
  /** Milliseconds for which it lasts; without it, until it is lifted. */
  for?: number;
  /** Deletes the user's messages too, from this one on; 0: all of them. */
  purge?: Target;
}

/** What moderators can set of a channel; what is absent stays as it is. */
export interface SetOptions {
  /** Seconds between two messages of a user; 0: no limit. */
  slow?: number;
  /** Whether nobody but moderators may write. */
  frozen?: boolean;
  /** What the channel is about, up to 256 bytes; empty: that is not told. */
  topic?: string;
  /** What programs make of it, any JSON of up to 1 KiB; null: none. */
  data?: unknown;
  /** An id of one's own, unique per user and channel. */
  id?: string;
}
