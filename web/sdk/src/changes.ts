import type { Changed, Reacted, WireMessage } from "./protocol.js";

export type { Changed, Reacted };

/** A message as it is after what was done to it. */
export type Shown = WireMessage;

/** What a message shows of names of reactions. */
const MAX_NAMES = 20;
/** Names that are remembered beyond what was read, those without reactions too. */
const MAX_FACTS = 100;

/** Values by name, of which the newest counts. */
class Facts<V> extends Map<string, { seq: number; value: V }> {
  put(name: string, seq: number, value: V): void {
    if (seq > (this.get(name)?.seq ?? 0)) this.set(name, { seq, value });
  }

  forget(upTo: number): void {
    for (const [name, { seq }] of this) if (seq <= upTo) this.delete(name);
  }
}

/**
 * One message: as it was read, with all that was done to it up to a position,
 * and what the server told of it above that. It is the same whatever the order
 * in which these come, and however often: what comes late undoes nothing.
 */
export class Folded {
  #message: Shown;
  #reactions: Shown["reactions"];
  #mine: readonly string[];
  #asof: number;
  /** The position of the newest push that did not say the counts. */
  #unknown = 0;
  /** The position as of which `#reactions` are, where that is above `#asof`. */
  #settled = 0;
  // What these hold is above `#asof`.
  #edits: Facts<{ value: unknown; time: number }> | undefined;
  #counts: Facts<number> | undefined;
  #own: Facts<boolean> | undefined;
  /** The lowest deletion that was pushed; what a result says goes before it. */
  #deleted: Shown["deleted"] | undefined;

  /** One that was pushed is as of its own seq, one in a result as of its `asof`. */
  constructor(message: Shown, asof: number, mine: readonly string[] = []) {
    this.#message = message;
    this.#reactions = message.reactions;
    this.#asof = asof;
    this.#mine = mine;
  }

  /** Whether the reactions have to be read again to be known. */
  get stale(): boolean {
    return this.#unknown > 0;
  }

  /** Takes it as a result has it, unless more is known already. */
  read(message: Shown, asof: number, mine: readonly string[] = []): void {
    if (asof <= this.#asof) return;
    if (asof >= this.#unknown) this.#unknown = 0;
    if (asof > this.#settled) this.#reactions = message.reactions;
    this.#message = message;
    this.#asof = asof;
    this.#mine = mine;
    for (const facts of [this.#edits, this.#counts, this.#own]) facts?.forget(asof);
  }

  /** Takes a push of the message, or a purge of anybody. */
  changed({ seq, time, user = "", key, by, edit, delete: removal, purge }: Changed): void {
    if (seq <= this.#asof) return;
    for (const name of ["body", "type", "data"] as const) {
      const value = edit?.[name];
      if (value !== undefined) (this.#edits ??= new Facts()).put(name, seq, { value, time });
    }
    const { user: author, seq: own } = this.#message; // own <= #asof < seq
    const hit = purge?.user === author && purge.since <= own ? purge : removal;
    if (!hit || (this.#deleted && this.#deleted.seq <= seq)) return;
    const { reason } = hit;
    by ??= key ? { key } : { user };
    this.#deleted = { seq, time, by, ...(reason && { reason }) };
  }

  /** Takes counts of its reactions; `me` is the user who reads it. */
  reacted({ seq, counts, user, name, remove }: Reacted, me?: string): void {
    if (seq <= this.#asof) return;
    if (name !== undefined && user === me) (this.#own ??= new Facts()).put(name, seq, !remove);
    if (seq <= this.#settled) return;
    if (!counts) this.#unknown = Math.max(this.#unknown, seq);
    const facts = (this.#counts ??= new Facts());
    for (const [each, count] of Object.entries(counts ?? {})) facts.put(each, seq, count);
    if (facts.size <= MAX_FACTS) return;
    this.#reactions = this.#counted();
    this.#settled = Math.max(...[...facts.values()].map((fact) => fact.seq));
    facts.clear();
  }

  /** The names that the user reacts with. */
  get mine(): string[] {
    const names = new Set(this.#mine);
    for (const [name, { value }] of this.#own ?? []) {
      if (value) names.add(name);
      else names.delete(name);
    }
    return this.#message.deleted || this.#deleted ? [] : [...names];
  }

  /** The message as it is now, which the caller owns. */
  get shown(): Shown {
    const message = { ...this.#message };
    const deleted = message.deleted ?? this.#deleted;
    if (deleted) return bare({ ...message, deleted });
    const body = this.#edits?.get("body");
    if (body) message.edited = { seq: body.seq, time: body.value.time };
    for (const [name, { value }] of this.#edits ?? []) Object.assign(message, { [name]: value.value });
    if (message.type === "text") delete message.type;
    if (message.data === null) delete message.data;
    const reactions = this.#counted();
    if (reactions.length > 0) message.reactions = reactions;
    else delete message.reactions;
    return message;
  }

  #counted(): { name: string; count: number }[] {
    const counts = new Map(this.#reactions?.map(({ name, count }) => [name, count]));
    for (const [name, { value }] of this.#counts ?? []) {
      if (value > 0) counts.set(name, value);
      else counts.delete(name);
    }
    return Array.from(counts, ([name, count]) => ({ name, count })).slice(0, MAX_NAMES);
  }
}

/** What is left of a message that is gone. */
function bare(all: Shown): Shown {
  const { type: _1, data: _2, reply: _3, mentions: _4, edited: _5, reactions: _6, ...rest } = all;
  return { ...rest, body: "" };
}
