import type { Gap, Message, Outgoing } from "@parley-chat/sdk";

/** One line of the list of messages. Keys stay the same over every change. */
export type Row =
  | { kind: "day"; key: string; time: number }
  | { kind: "message"; key: string; message: Message; head: boolean }
  | { kind: "outgoing"; key: string; message: Outgoing; head: boolean }
  | { kind: "new"; key: string }
  | { kind: "away"; key: string; missed: number; complete: boolean }
  | { kind: "gap"; key: string; gap: Gap };

/** What the list is made of. */
export interface RowSource {
  messages: readonly Message[];
  outbox: readonly Outgoing[];
  gaps: readonly Gap[];
  /** One's own name. */
  user: string;
  /** Whether a message is part of the conversation that is laid out. */
  within(message: { user: string; to?: string }): boolean;
  /** The message above which "new messages" is shown. */
  firstNew?: string | undefined;
  /** The message below which "since you were away" is shown. */
  away?: { after: string; missed: number; complete: boolean } | undefined;
  /** Messages that head their group whatever comes before them. */
  heads: ReadonlySet<string>;
}

/** Messages of one author closer together than this are one group, in milliseconds. */
const GROUP_WITHIN = 5 * 60_000;
/** A group ends this long after it began, in milliseconds, */
const GROUP_LASTS = 15 * 60_000;
/** or with so many lines: on most screens its head is in sight. */
const GROUP_LINES = 20;

/** Identifies a message in the list, pending or stored. */
export function keyOf(message: { epoch?: string; seq?: number; id: string }): string {
  return message.seq === undefined ? `o${message.id}` : `${message.epoch}/${message.seq}`;
}

/**
 * Lays the messages out. The oldest day has no row of its own: what is at
 * the very top must not move when older messages are put before it.
 */
export function buildRows(source: RowSource): Row[] {
  const rows: Row[] = [];
  const gaps = new Map(source.gaps.map((gap) => [`${gap.epoch}/${gap.to}`, gap]));
  const layout = new Layout(rows, source.heads);
  for (const message of source.messages) {
    const key = keyOf(message);
    const gap = gaps.get(key);
    if (gap) layout.separate({ kind: "gap", key: `gap${key}`, gap });
    if (source.within(message)) {
      if (key === source.firstNew) layout.separate({ kind: "new", key: "new" });
      layout.add({ kind: "message", key, message, head: false });
    }
    if (key === source.away?.after) {
      const { missed, complete } = source.away;
      layout.separate({ kind: "away", key: "away", missed, complete });
    }
  }
  for (const message of source.outbox) {
    if (!source.within({ ...message, user: source.user })) continue;
    // A copy, because it changes in place: only another object is drawn again.
    const row = { kind: "outgoing" as const, key: keyOf(message), message: { ...message } };
    layout.add({ ...row, head: false }, source.user);
  }
  return rows;
}

/** Lines that a text has at least, up to those of a group. */
function linesOf(text: string): number {
  let lines = 1 + Math.floor(text.length / 200);
  for (let at = text.indexOf("\n"); at >= 0 && lines < GROUP_LINES; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

type MessageRow = Extract<Row, { kind: "message" | "outgoing" }>;

class Layout {
  readonly #rows: Row[];
  readonly #heads: ReadonlySet<string>;
  #author: string | undefined;
  #to: string | undefined;
  #time = 0;
  /** When the group began, and how many lines it has. */
  #began = 0;
  #lines = 0;
  #dayEnd = 0;

  constructor(rows: Row[], heads: ReadonlySet<string>) {
    this.#rows = rows;
    this.#heads = heads;
  }

  /** Adds a row between messages, after which a new group begins. */
  separate(row: Row): void {
    this.#rows.push(row);
    this.#author = undefined;
  }

  add(row: MessageRow, user?: string): void {
    const { time, to } = row.message;
    const author = row.kind === "message" ? row.message.user : user!;
    if (time >= this.#dayEnd) {
      if (this.#dayEnd > 0) this.separate({ kind: "day", key: `day${row.key}`, time });
      this.#dayEnd = new Date(time).setHours(24, 0, 0, 0);
    }
    row.head =
      author !== this.#author ||
      to !== this.#to ||
      time - this.#time > GROUP_WITHIN ||
      time - this.#began > GROUP_LASTS ||
      this.#lines >= GROUP_LINES ||
      this.#heads.has(row.key);
    if (row.head) [this.#began, this.#lines] = [time, 0];
    this.#lines += linesOf(row.message.body);
    this.#author = author;
    this.#to = to;
    this.#time = time;
    this.#rows.push(row);
  }
}
