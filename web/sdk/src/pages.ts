import { PAGE, reachedBy } from "./archive.js";
import { ErrorCode, ParleyError } from "./errors.js";
import type { Position } from "./outbox.js";
import type { HistoryQuery, HistoryResult } from "./protocol.js";
import type { Requests } from "./requests.js";
import type { Gap, Message, Timeline } from "./timeline.js";
import { bounded, handled, type WaitOptions } from "./wait.js";

/** Messages that are loaded around one that is looked for. */
const AROUND = 100;

/** What {@link Pages} needs of its channel. */
export interface Reader {
  /** Where the channel is, once it was joined. */
  position(): Position | undefined;
  /** Messages were added, or read again, and others were changed. */
  changed(added: readonly Message[], altered?: readonly Message[]): void;
}

/** Reads the history of a channel into its timeline. */
export class Pages {
  readonly #requests: Requests;
  readonly #timeline: Timeline;
  readonly #reader: Reader;
  /** Where the next older page begins; undefined at the channel's beginning. */
  #older: { epoch?: string } | undefined = {};
  #loading: Promise<number> | undefined;

  constructor(requests: Requests, timeline: Timeline, reader: Reader) {
    this.#requests = requests;
    this.#timeline = timeline;
    this.#reader = reader;
  }

  get hasOlder(): boolean {
    return this.#older !== undefined;
  }

  /** The timeline is empty. */
  restart(): void {
    this.#older = {};
  }

  /** The timeline has lost its oldest messages. */
  trimmed(): void {
    this.#older ??= {};
  }

  /** Asks for messages, of which `use` makes something with all that is known by then. */
  async ask<Result, T>(method: string, query: object, use: (result: Result) => T): Promise<T> {
    const timeline = this.#timeline;
    timeline.awaited++;
    try {
      const result = await this.#requests.ask<Result>(method, query, "history");
      if (!timeline.lost) return use(result);
      throw new ParleyError(ErrorCode.HistoryUnavailable, "too much at once");
    } finally {
      if (--timeline.awaited === 0) timeline.forgetRecent();
    }
  }

  history<T>(query: HistoryQuery & WaitOptions, use: (page: HistoryResult) => T): Promise<T> {
    return this.ask("history", query, use);
  }

  /** Reads one message; it and those around it are up to date in the timeline from then on. */
  read(seq: number, epoch: { epoch?: string } & WaitOptions): Promise<Message | undefined> {
    return this.history({ around: seq, limit: 50, ...epoch }, (page) => {
      const found = this.#timeline.read(page, page.epoch).find((message) => message.seq === seq);
      this.#reader.changed([]);
      return found;
    });
  }

  /** Puts the next older page before the oldest message. */
  loadOlder(limit: number, options: WaitOptions): Promise<number> {
    this.#loading ??= handled(this.#loadOlder(limit).finally(() => (this.#loading = undefined)));
    return bounded(this.#loading, options, "no older messages");
  }

  async #loadOlder(limit: number): Promise<number> {
    const position = this.#reader.position();
    if (!this.#older || !position) return 0;
    const oldest = this.#timeline.oldest;
    const epoch = this.#older.epoch ?? oldest?.epoch ?? position.epoch;
    const before = oldest ? oldest.seq : position.seq + 1;
    const inSameEpoch = !oldest || oldest.epoch === epoch;
    const query = { epoch, limit, ...(inSameEpoch && { before }) };
    const added = await this.history(query, (page) => this.#prepend(page, oldest));
    // The message that the page precedes is gone, or was not there yet: it would leave a gap.
    return added ? added.length : oldest ? 0 : this.#loadOlder(limit);
  }

  #prepend(page: HistoryResult, oldest: Message | undefined): Message[] | undefined {
    if (this.#timeline.oldest?.id !== oldest?.id) return undefined;
    const added = this.#timeline.prepend(page, page.epoch);
    if (page.more && added.length > 0) this.#older = {};
    else this.#older = page.older === undefined ? undefined : { epoch: page.older };
    this.#reader.changed(added);
    return added;
  }

  /** Loads what is around a message older than those held, with a gap between them. */
  async loadAround(seq: number): Promise<void> {
    const oldest = this.#timeline.oldest;
    const { epoch } = this.#reader.position() ?? {};
    if (!oldest || oldest.epoch !== epoch) return;
    await this.history({ around: seq, epoch, limit: AROUND }, (page) => {
      const added = this.#prepend(page, oldest);
      const newest = page.messages.at(-1);
      if (!added || !newest || !page.newer || newest.seq >= oldest.seq) return;
      this.#timeline.gaps.unshift({ epoch, from: newest.seq, to: oldest.seq });
    });
  }

  /** Loads the next page of a gap. */
  async fill(given: Gap): Promise<number> {
    const same = ({ epoch, to }: Gap) => epoch === given.epoch && to === given.to;
    const gap = this.#timeline.gaps.find(same) ?? given; // a snapshot has a copy of it
    const query = { after: gap.from, epoch: gap.epoch, limit: PAGE };
    return this.history(query, (page) => {
      const reached = reachedBy(page, gap.from);
      const complete = !page.more || reached <= gap.from || reached >= gap.to - 1;
      const added = this.#timeline.fill(gap, page, reached, complete);
      this.#reader.changed(added, this.#timeline.applyAll(page, gap.epoch));
      return added.length;
    });
  }
}
