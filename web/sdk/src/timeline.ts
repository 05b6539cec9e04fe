import type { WireMessage } from "./protocol.js";

/** A message that is durable and has its place in the channel. */
export interface Message extends WireMessage {
  /** The epoch in which `seq` counts. */
  epoch: string;
}

/** Messages between these two seqs exist, but were too many to fetch. */
export interface Gap {
  /** The epoch in which `from` and `to` count. */
  epoch: string;
  /** The newest message before the gap. */
  from: number;
  /** The oldest message after the gap. */
  to: number;
}

/**
 * The messages of a channel that this client holds, in the channel's order,
 * and the gaps between them. It decides nothing: the channel chooses what to add.
 */
export class Timeline {
  /** Oldest first. Changed in place: copy it to keep it. */
  readonly messages: Message[] = [];
  /** Oldest first. */
  readonly gaps: Gap[] = [];

  get newest(): Message | undefined {
    return this.messages[this.messages.length - 1];
  }

  get oldest(): Message | undefined {
    return this.messages[0];
  }

  clear(): void {
    this.messages.length = 0;
    this.gaps.length = 0;
  }

  /** Adds those above the newest one, and returns what was added. */
  append(messages: readonly WireMessage[], epoch: string): Message[] {
    const above = this.newest?.seq ?? 0;
    const added = messages.filter((m) => m.seq > above).map((m) => ({ ...m, epoch }));
    for (const message of added) this.messages.push(message);
    return added;
  }

  /** Puts an older page before the oldest one, and returns what was added. */
  prepend(messages: readonly WireMessage[], epoch: string): Message[] {
    const oldest = this.oldest;
    const below = oldest?.epoch === epoch ? oldest.seq : Infinity;
    const added = messages.filter((m) => m.seq < below).map((m) => ({ ...m, epoch }));
    this.messages.splice(0, 0, ...added);
    return added;
  }

  /**
   * Puts what was found between the ends of a gap at its place. The gap
   * closes when nothing is left in it, and shrinks otherwise.
   */
  fill(gap: Gap, messages: readonly WireMessage[], complete: boolean): Message[] {
    if (!this.gaps.includes(gap)) return [];
    const { epoch } = gap;
    const added = messages
      .filter((m) => m.seq > gap.from && m.seq < gap.to)
      .map((m) => ({ ...m, epoch }));
    const after = this.messages.findIndex((m) => m.epoch === epoch && m.seq >= gap.to);
    this.messages.splice(after < 0 ? this.messages.length : after, 0, ...added);
    const newest = added[added.length - 1];
    if (newest) gap.from = newest.seq;
    if (complete) this.gaps.splice(this.gaps.indexOf(gap), 1);
    return added;
  }

  /** Forgets the oldest ones beyond a number, and the gaps among them. */
  trim(keep: number): boolean {
    const excess = this.messages.length - keep;
    if (excess <= 0) return false;
    this.messages.splice(0, excess);
    const oldest = this.oldest?.seq ?? Infinity;
    while (this.gaps[0] && this.gaps[0].to <= oldest) this.gaps.shift();
    return true;
  }
}
