import type { Answer } from "./connection.js";
import { ErrorCode, isTransient, ParleyError } from "./errors.js";
import { backoff } from "./backoff.js";
import { newId } from "./id.js";
import type { ChatResult, RepeatResult, WireMessage } from "./protocol.js";

/** What a message may have beside its text. */
export interface Content<Data = unknown> {
  /** Whom it is for alone: it is private. */
  readonly to?: string;
  /** What it is, for programs that show some messages in their own way. */
  readonly type?: string;
  /** Any JSON that programs make something of. */
  readonly data?: Data;
  /** The `seq` of the message that it answers. */
  readonly reply?: number;
  /** The users whom it is meant for, at most 50. */
  readonly mentions?: readonly string[];
}

/** A message of one's own that has not come back through the channel yet. */
export interface Outgoing<Data = unknown> extends Content<Data> {
  /** The message's id, the same in every attempt. */
  readonly id: string;
  /** Its text. */
  readonly body: string;
  /** The epoch in which `reply` counts; in another one it is left out. */
  readonly epoch?: string;
  /** When it was written, in milliseconds since the Unix epoch. */
  readonly time: number;
  /** `sent` is durable, and its push is under way. */
  status: "pending" | "sent" | "failed";
  /** Why it failed. */
  error?: ParleyError;
  /** Where the channel was when it was on the wire first; absent until then. */
  attempted?: Position;
}

/** What to keep of an {@link Outgoing} message over the end of the program. */
export type Saved = Omit<Outgoing, "error"> & {
  /** Why it failed. */
  error?: Pick<ParleyError, "code" | "message" | "data">;
};

/** Where the channel was when a message was sent first. */
export interface Position {
  /** The epoch in which `seq` counts. */
  epoch: string;
  /** The newest seq known of the channel. */
  seq: number;
}

interface Entry extends Outgoing {
  settle?: { resolve(sent: ChatResult | RepeatResult): void; reject(error: ParleyError): void };
  inFlight: boolean;
  /** Its seq, once it is acknowledged. */
  seq?: number;
  failures: number;
  /** Its author asked to send it again. */
  again?: boolean;
}

/** What the outbox needs of its channel. */
export interface Postman {
  /** Where the channel is, or undefined while nothing can be sent. */
  position(): Position | undefined;
  post(message: Outgoing, retry: boolean, answer: Answer<ChatResult | RepeatResult>): void;
  /** Looks for a message of one's own sent after a position. */
  lookup(id: string, after: Position): Promise<WireMessage | undefined>;
  /** Reports whether the server limits the rate of messages. */
  limited(): boolean;
  /** Seqs within which the server notices a repeated id. */
  dedupe(): number;
  rejoin(): void;
  changed(): void;
}

/** Messages sent and not acknowledged, at a time; fewer after the server answered that it is too fast. */
const WINDOW = 32;

/**
 * The messages of one channel on their way out, in the order they were
 * written. It repeats what was not acknowledged with the same id, and only
 * while the server is sure to notice the repetition.
 */
export class Outbox {
  readonly #postman: Postman;
  readonly #limit: number;
  readonly #entries: Entry[] = [];
  #pause: ReturnType<typeof setTimeout> | undefined;
  #window = WINDOW;

  constructor(postman: Postman, limit: number) {
    this.#postman = postman;
    this.#limit = limit;
  }

  get messages(): readonly Outgoing[] {
    return this.#entries;
  }

  /** Queues a message; resolves when it is durable. */
  add(
    body: string,
    { id = newId(), ...content }: Content & { id?: string; epoch?: string } = {},
  ): Promise<ChatResult | RepeatResult> {
    const waiting = this.#entries.filter(({ status }) => status !== "failed");
    if (waiting.length >= this.#limit) {
      const text = `${this.#limit} messages wait to be sent already`;
      return Promise.reject(new ParleyError(ErrorCode.OutboxFull, text));
    }
    return new Promise((resolve, reject) => {
      this.#entries.push({
        ...content,
        id,
        body,
        time: Date.now(),
        status: "pending",
        inFlight: false,
        failures: 0,
        settle: { resolve, reject },
      });
      this.#postman.changed();
      this.flush();
    });
  }

  /** Takes up again what an earlier client of the same user did not get acknowledged. */
  restore(saved: readonly Saved[]): void {
    for (const { error, ...one } of saved) {
      if (one.status === "sent" || this.#entries.some((e) => e.id === one.id)) continue;
      const entry: Entry = { ...one, inFlight: false, failures: 0 };
      delete entry.settle; // that of an earlier outbox
      if (error) entry.error = new ParleyError(error.code, error.message, error.data);
      this.#entries.push(entry);
    }
    this.#postman.changed();
    this.flush();
  }

  /** Sends a failed message again, because its author asked for it. */
  retry(id: string): void {
    const entry = this.#entries.find((e) => e.id === id && e.status === "failed");
    if (!entry) return;
    entry.status = "pending";
    entry.again = entry.attempted !== undefined;
    delete entry.error;
    delete entry.attempted;
    this.#postman.changed();
    this.flush();
  }

  /** Gives a failed message up. */
  discard(id: string): void {
    const at = this.#entries.findIndex((e) => e.id === id && e.status === "failed");
    if (at < 0) return;
    this.#entries.splice(at, 1);
    this.#postman.changed();
  }

  /** Removes the one that came back through the channel. */
  arrived(message: WireMessage): void {
    const at = this.#entries.findIndex((e) => e.id === message.id);
    const entry = this.#entries[at];
    if (!entry) return;
    this.#entries.splice(at, 1);
    settle(entry, { id: message.id, seq: message.seq, time: message.time });
  }

  /**
   * The channel has moved on to a seq. What was acknowledged at or below it and
   * did not come was a repetition: the original is further back.
   */
  passed(seq: number): void {
    this.#remove((entry) => entry.status === "sent" && entry.seq! <= seq);
  }

  /**
   * Goes on after a join, whose messages were all reported by `arrived`. What
   * was acknowledged before is history by now, loaded or not.
   */
  resume(): void {
    this.#remove((entry) => entry.status === "sent");
    void this.#goOn();
  }

  /** Does not wait any longer, although the server asked for that. */
  hasten(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    void this.#goOn();
  }

  /** Looks up what is too old to be repeated, then sends the rest. */
  async #goOn(): Promise<void> {
    const old = this.#entries.filter((entry) => this.#expired(entry));
    await Promise.all(old.map((entry) => this.#find(entry)));
    this.flush();
  }

  /** Stops: what was not acknowledged has failed, and is kept for the application to see. */
  stop(error: ParleyError): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    for (const entry of this.#entries) {
      if (entry.status !== "pending") continue;
      entry.status = "failed";
      entry.error = error;
      reject(entry, error);
    }
    this.#forgetFailed();
  }

  /** Sends what may be sent now, in order. */
  flush(): void {
    if (this.#pause !== undefined) return;
    const position = this.#postman.position();
    if (!position) return;
    // Where a rate may refuse one, the next waits for its answer: it would be
    // accepted, a moment later, and come before it.
    const window = this.#postman.limited() ? 1 : Math.floor(this.#window);
    let room = window - this.#entries.filter((e) => e.inFlight).length;
    for (const entry of [...this.#entries]) {
      if (entry.inFlight || entry.status !== "pending" || this.#expired(entry)) continue;
      if (room-- <= 0) return;
      this.#post(entry, position);
    }
  }

  #post(entry: Entry, position: Position): void {
    const { reply, ...others } = entry;
    const answers = entry.epoch === undefined || entry.epoch === position.epoch;
    const retry = entry.again || entry.attempted !== undefined;
    entry.inFlight = true;
    if (!entry.attempted) {
      entry.attempted = position;
      this.#postman.changed();
    }
    this.#postman.post(answers ? entry : others, retry, (error, sent) => {
      entry.inFlight = false;
      if (!this.#entries.includes(entry)) return this.flush(); // it came back before its answer
      if (error) this.#refused(entry, error);
      else {
        entry.status = "sent";
        // One that is further back than anybody knows is not waited for.
        entry.seq = sent.seq ?? 0;
        this.#window = Math.min(WINDOW, this.#window + 1 / this.#window);
        settle(entry, sent);
        this.passed(this.#postman.position()?.seq ?? 0);
        this.#postman.changed();
        this.flush();
      }
    });
  }

  #refused(entry: Entry, error: ParleyError): void {
    if (error.code === ErrorCode.Disconnected) return; // the next join resumes
    if (error.code === ErrorCode.NotJoined) return this.#postman.rejoin();
    if (!isTransient(error)) return this.#fail(entry, error);
    if (error.code === ErrorCode.RateLimited) this.#window = 1;
    // Everything waits, so that the order in which it was written is kept.
    const wait = error.retry ?? backoff(entry.failures++);
    this.#pause ??= setTimeout(() => this.hasten(), wait);
  }

  /** Failed messages are kept for the application; of too many the oldest are forgotten. */
  #forgetFailed(): void {
    const failed = this.#entries.filter(({ status }) => status === "failed");
    let excess = failed.length - this.#limit;
    this.#remove(({ status }) => status === "failed" && excess-- > 0);
  }

  #remove(unwanted: (entry: Entry) => boolean): void {
    const kept = this.#entries.filter((entry) => !unwanted(entry));
    this.#entries.splice(0, this.#entries.length, ...kept);
  }

  /** Reports whether the server might not notice that this is a repetition. */
  #expired(entry: Entry): boolean {
    const now = this.#postman.position();
    if (!entry.attempted || entry.inFlight || entry.status !== "pending" || !now) return false;
    return expired(entry.attempted, now, this.#postman.dedupe());
  }

  async #find(entry: Entry): Promise<void> {
    let found: WireMessage | undefined;
    entry.inFlight = true;
    try {
      found = await this.#postman.lookup(entry.id, entry.attempted!);
    } catch (error) {
      if (error instanceof ParleyError && error.code === ErrorCode.Disconnected) return;
      // What cannot be looked up is not known to be there: the author decides.
    } finally {
      entry.inFlight = false;
    }
    if (!this.#entries.includes(entry)) return;
    if (found) {
      this.arrived(found);
      this.#postman.changed();
    } else {
      this.#fail(entry, lost());
    }
  }

  #fail(entry: Entry, error: ParleyError): void {
    entry.status = "failed";
    entry.error = error;
    reject(entry, error);
    this.#forgetFailed();
    this.#postman.changed();
    this.flush();
  }
}

/** Reports whether the server might not notice a repetition of what was sent first back then. */
export function expired(attempted: Position, now: Position, dedupe: number): boolean {
  // Half of the window: the channel moves on while the repetition is under way.
  return attempted.epoch !== now.epoch || now.seq - attempted.seq > dedupe / 2;
}

/** The error of what cannot be repeated safely. */
export function lost(): ParleyError {
  return new ParleyError(ErrorCode.Lost, "not acknowledged in time");
}

function settle(entry: Entry, sent: ChatResult | RepeatResult): void {
  entry.settle?.resolve(sent);
  delete entry.settle;
}

function reject(entry: Entry, error: ParleyError): void {
  entry.settle?.reject(error);
  delete entry.settle;
}
