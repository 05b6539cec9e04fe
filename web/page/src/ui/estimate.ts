import { isLong, LINES_SHOWN } from "../state/long.ts";
import type { Row } from "../state/rows.ts";

/** Pixels, as the style sheet has them. */
const LINE = 22;
const PADDING = 2;
const HEAD = 32;
const PRIVATE_NOTE = 19;
const RULE = 32;
const QUOTE = 24;
const REACTIONS = 34;
/** Pixels that a reaction takes in its row, and what else is in that row. */
const REACTION = 58;
const REACTIONS_BESIDE = 60;
/** What is beside a message's text: whose it is, and room for a button. */
const BESIDE = 107;
/** And where it was edited, or is on its way. */
const EDITED = 55;
const STATUS = 30;
/** Widths of a 0 that a text is wide at most. */
const MEASURE = 72;

/**
 * Heights of rows that were not drawn yet. They have to be right nearly always:
 * each that turns out otherwise makes the list lay all of its rows out again.
 */
export class Estimates {
  readonly #pen = document.createElement("canvas").getContext("2d");
  #width = 0;
  #measure = Infinity;
  #lines = new WeakMap<object, number>();

  /** Takes note of the list, and of how wide its text is drawn. */
  fit(list: HTMLElement, width: number): void {
    if (width === this.#width || !this.#pen) return;
    this.#width = width;
    this.#pen.font = getComputedStyle(list).font;
    this.#measure = MEASURE * this.#pen.measureText("0").width;
    this.#lines = new WeakMap();
  }

  height(row: Row | undefined): number {
    if (row?.kind !== "message" && row?.kind !== "outgoing") return RULE;
    const { message, head } = row;
    const note = head && message.to !== undefined ? PRIVATE_NOTE : 0;
    // A long one is cut, and has a button below it.
    const lines = isLong(message.body) ? LINES_SHOWN + 1 : this.#linesOf(message);
    const quote = message.reply === undefined ? 0 : QUOTE;
    const reactions = row.kind === "message" ? (row.message.reactions?.length ?? 0) : 0;
    const inRow = Math.max(1, Math.floor((this.#width - REACTIONS_BESIDE) / REACTION));
    const below = REACTIONS * Math.ceil(reactions / inRow);
    return PADDING + (head ? HEAD : 0) + note + quote + LINE * lines + below;
  }

  #linesOf(message: { body: string; edited?: object; status?: string }): number {
    let lines = this.#lines.get(message);
    if (lines === undefined) {
      lines = 0;
      const beside = BESIDE + (message.edited ? EDITED : 0) + (message.status ? STATUS : 0);
      for (const line of message.body.split("\n")) lines += this.#wrapped(line, beside);
      this.#lines.set(message, lines);
    }
    return lines;
  }

  #wrapped(line: string, beside: number): number {
    const width = this.#pen?.measureText(line).width ?? 8 * line.length;
    return Math.max(1, Math.ceil(width / Math.max(100, Math.min(this.#measure, this.#width - beside))));
  }
}
