import { Folded } from "./changes.js";
import type { Changed, Reacted, Told, WireMessage } from "./protocol.js";

/**
 * A message that is durable and has its place in the channel, as it is after all
 * that was done to it. When that changes, another object takes its place.
 */
export interface Message<Data = unknown> extends WireMessage<Data> {
  /** The epoch in which `seq` counts. */
  readonly epoch: string;
  /** What one reacts with oneself. */
  readonly mine?: readonly string[];
  /** What was done to it is not known in full: {@link Channel.read} asks for it. */
  readonly stale?: true;
}

/** Messages between these two seqs exist, but were too many to fetch. */
export interface Gap {
  /** The epoch in which `from` and `to` count. */
  epoch: string;
  /** Where the gap begins: everything up to there is held. */
  from: number;
  /** The oldest message after the gap. */
  to: number;
}

/** What is done to messages: a purge names its user in place of a message. */
export type Change =
  { edited: Changed; reacted?: undefined } | { edited?: undefined; reacted: Reacted };

/** Changes that are remembered while an answer is awaited. */
const MAX_RECENT = 10_000;

/**
 * The messages of a channel that this client holds, in the channel's order,
 * and the gaps between them. It decides nothing: the channel chooses what to add.
 */
export class Timeline {
  /** Oldest first. Changed in place: copy it to keep it. */
  readonly messages: Message[] = [];
  /** Oldest first. */
  readonly gaps: Gap[] = [];
  readonly #folds = new WeakMap<Message, Folded>();
  readonly #me: () => string | undefined;
  /** How many answers with messages are awaited. */
  awaited = 0;
  /** Whether too much was done meanwhile to remember all of it. */
  lost = false;
  /** What was done meanwhile, which the answers may not have. */
  #recent: Change[] = [];
  /** The epoch in which these are. */
  #epoch: string | undefined;

  /** `me` is the user who reads the messages. */
  constructor(me: () => string | undefined) {
    this.#me = me;
  }

  get newest(): Message | undefined {
    return this.messages.at(-1);
  }

  get oldest(): Message | undefined {
    return this.messages[0];
  }

  clear(): void {
    this.messages.length = 0;
    this.gaps.length = 0;
    this.#recent = [];
  }

  /** No answer is awaited any more. */
  forgetRecent(): void {
    this.#recent = [];
    this.lost = false;
  }

  /** Adds those above the newest one, and returns what was added. */
  append(told: Told, epoch: string): Message[] {
    const above = this.newest?.seq ?? 0;
    const added = this.#take(told, epoch, (seq) => seq > above);
    for (const message of added) this.messages.push(message);
    return added;
  }

  /** Puts an older page before the oldest one, and returns what was added. */
  prepend(told: Told, epoch: string): Message[] {
    const oldest = this.oldest;
    const below = oldest?.epoch === epoch ? oldest.seq : Infinity;
    const added = this.#take(told, epoch, (seq) => seq < below);
    this.messages.splice(0, 0, ...added);
    return added;
  }

  /**
   * Puts what was found from the beginning of a gap up to a position at its place.
   * The gap closes when nothing is left in it, and shrinks otherwise.
   */
  fill(gap: Gap, told: Told, reached: number, complete: boolean): Message[] {
    if (!this.gaps.includes(gap)) return [];
    const { epoch, from, to } = gap;
    const added = this.#take(told, epoch, (seq) => seq > from && seq < to);
    this.messages.splice(this.#find(to, epoch), 0, ...added);
    gap.from = Math.min(reached, to - 1);
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

  /** The messages of a result, with what was done meanwhile. */
  read(told: Told, epoch: string): Message[] {
    return this.#take(told, epoch, () => true);
  }

  /** Takes a change, and returns the messages held that it is of, as they are now. */
  apply(change: Change, epoch: string): Message[] {
    this.#epoch = epoch;
    if (this.awaited > 0 && this.#recent.push(change) > MAX_RECENT) {
      this.lost = true;
      this.#recent = [];
    }
    const { target } = change.edited ?? change.reacted;
    const purge = change.edited?.purge;
    const from = this.#find(target ?? purge?.since ?? Infinity, epoch);
    const to = target === undefined ? Infinity : this.#find(target + 1, epoch);
    const hit: Message[] = [];
    for (const [i, { user }] of this.messages.slice(from, to).entries()) {
      if (purge && user !== purge.user) continue;
      hit.push(this.#alter(from + i, (folded) => put(change, folded, this.#me())));
    }
    return hit;
  }

  /** Takes the changes that a result tells of, and returns what is changed by them. */
  applyAll({ changes = [], reacted = [], seq, asof = 0 }: Told, epoch: string): Message[] {
    const all: Change[] = changes.map((edited) => ({ edited }));
    for (const counts of reacted) all.push({ reacted: { ...counts, seq: seq ?? asof } });
    return all.flatMap((change) => this.apply(change, epoch));
  }

  /** What was done to those up to a seq, until another one, is not known. */
  doubt(upTo: number, until: number, epoch: string): void {
    for (const { seq } of this.messages) {
      if (seq <= upTo) this.apply({ reacted: { seq: until, target: seq } }, epoch);
    }
  }

  /** Makes messages of those of a result that are wanted; takes what it knows newer of the others. */
  #take(told: Told, epoch: string, wanted: (seq: number) => boolean): Message[] {
    const { messages, asof = 0 } = told;
    const mine = new Map(told.mine?.map(({ seq, names }) => [seq, names]));
    const made: Message[] = [];
    for (const wire of messages) {
      const upTo = Math.max(asof, wire.seq);
      const names = mine.get(wire.seq);
      const at = this.#find(wire.seq, epoch);
      const held = this.messages[at];
      if (held?.seq === wire.seq && held.epoch === epoch) {
        this.#alter(at, (folded) => folded.read(wire, upTo, names));
      }
      if (!wanted(wire.seq)) continue;
      const folded = new Folded(wire, upTo, names);
      for (const change of epoch === this.#epoch ? this.#recent : []) {
        const { target = wire.seq } = change.edited ?? change.reacted;
        if (target === wire.seq) put(change, folded, this.#me());
      }
      made.push(this.#show(folded, epoch));
    }
    return made;
  }

  #alter(at: number, act: (folded: Folded) => void): Message {
    const { epoch } = this.messages[at]!;
    const folded = this.#folds.get(this.messages[at]!)!;
    act(folded);
    return (this.messages[at] = this.#show(folded, epoch));
  }

  #show(folded: Folded, epoch: string): Message {
    const { mine, stale } = folded;
    const message: { -readonly [Field in keyof Message]: Message[Field] } = { ...folded.shown, epoch };
    if (mine.length > 0) message.mine = mine;
    if (stale) message.stale = true;
    this.#folds.set(message, folded);
    return message;
  }

  /**
   * The index of the first message at or above a seq; those of earlier epochs come
   * first. From the end: it is mostly the newest ones that are looked for.
   */
  #find(seq: number, epoch: string): number {
    const { messages } = this;
    let at = messages.length;
    while (at > 0 && messages[at - 1]!.epoch === epoch && messages[at - 1]!.seq >= seq) at--;
    return at;
  }
}

function put({ edited, reacted }: Change, folded: Folded, me: string | undefined): void {
  if (edited) folded.changed(edited);
  else folded.reacted(reacted, me);
}
