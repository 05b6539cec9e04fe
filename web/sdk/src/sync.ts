import { pagesAfter, reachedBy } from "./archive.js";
import { backoff } from "./backoff.js";
import type { Answer } from "./connection.js";
import { ErrorCode, isTransient, type ParleyError } from "./errors.js";
import type { Position } from "./outbox.js";
import type {
  ChannelPush,
  HistoryQuery,
  HistoryResult,
  JoinResult,
  Told,
} from "./protocol.js";

/** How a rejoin went. */
export type Outcome =
  /** The first join, or the log started again: so does `messages`. */
  | "fresh"
  /** Nothing is missing. */
  | "complete"
  /** A gap was left. */
  | "partial";

/** What {@link Sync} needs of the channel it serves. */
export interface Follower {
  online(): boolean;
  request(
    params: { limit?: number; since?: number; epoch?: string },
    answer: Answer<JoinResult>,
    alive: () => boolean,
  ): void;
  history(query: HistoryQuery): Promise<HistoryResult>;
  reconnect(reason: string): void;
  /** The messages that follow start another epoch; what is held is forgotten. */
  restart(epoch: string): void;
  /** The next messages, in order, and what was done to others; some may be known already. */
  take(told: Told, epoch: string): void;
  /** What was done to messages up to a seq, until another one, is not known. */
  doubt(upTo: number, until: number, epoch: string): void;
  gap(from: number, to: number, epoch: string): void;
  /** A push of anything but a message. */
  pushed(push: Exclude<ChannelPush, { method: "chat" }>, epoch: string): void;
  broken(expected: number, got: number): void;
  /** The members are as the result says; `live` pushes follow. */
  joined(result: JoinResult, outcome: Outcome): void;
  failed(error: ParleyError): void;
}

/** The newest public message and change: what `prev` and `cprev` of the next one have to say. */
interface Chains {
  chat: number;
  changed: number;
}

/** What a push says of the one before it. */
interface Link {
  seq: number;
  to?: string;
  prev?: number;
  cprev?: number;
}

/** Pushes that wait for a join's result before the connection is given up. */
const MAX_HELD = 50_000;
/** Holes in the chains in a row, after which the connection is given up. */
const MAX_BREAKS = 4;

/**
 * Keeps a channel in step with the server: joins, rejoins from where it was,
 * proves by the chains that nothing is missing, and fetches what is.
 */
export class Sync {
  readonly #follower: Follower;
  readonly #limit: number;
  readonly #maxMissed: number;

  /** Where the channel's pushes are. */
  #position: Position | undefined;
  #newest: Chains = { chat: 0, changed: 0 };
  #joinSeq = 0;
  /** Where a chain broke, until that is repaired: what came later proves nothing. */
  #proven = Infinity;
  /** Pushes wait here from a join's request until its result is dealt with. */
  #held: ChannelPush[] | undefined;
  /** Whether a join has succeeded on this connection. */
  #inside = false;
  /** Counts connections, so that what began on an earlier one is recognised. */
  #generation = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #breaks = 0;
  #refusal: ParleyError | undefined;

  constructor(follower: Follower, limit: number, maxMissed: number) {
    this.#follower = follower;
    this.#limit = limit;
    this.#maxMissed = maxMissed;
  }

  get position(): Position | undefined {
    return this.#position && { ...this.#position };
  }

  /** The `since` of the next join. */
  get #from(): Position | undefined {
    const at = this.#position;
    return at && { ...at, seq: Math.min(at.seq, this.#proven) };
  }

  /** Reports whether pushes are dealt with as they come. */
  get live(): boolean {
    return this.#position !== undefined && this.#held === undefined;
  }

  /** Why the last join was refused for now, where none has succeeded since. */
  get refusal(): ParleyError | undefined {
    return this.#refusal;
  }

  /** Joins, from where the channel was if it was joined before. */
  join(): void {
    if (this.#held || !this.#follower.online()) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#held = [];
    const alive = this.#alive();
    const at = this.#from;
    const params = { limit: this.#limit, ...(at && { since: at.seq, epoch: at.epoch }) };
    const answer: Answer<JoinResult> = (error, result) => {
      if (!alive()) return;
      if (error) this.#refused(error);
      else this.#received(result, alive);
    };
    this.#follower.request(params, answer, alive);
  }

  /** The connection is gone; what was asked on it will not be answered. */
  disconnected(): void {
    this.#generation++;
    this.#inside = false;
    this.#held = undefined;
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  push(push: ChannelPush): void {
    if (this.#held) {
      if (this.#held.push(push) > MAX_HELD) this.#follower.reconnect("too much at once");
      return;
    }
    // What is at or below the join's result is part of it.
    const { seq } = push.params;
    if (!this.#position || seq <= this.#joinSeq) return;
    const at = this.#position;
    const { method, params } = push;
    if ((method === "chat" || method === "changed") && !this.#follows(method, params, at)) return;
    // It comes before the purge of the same event, which is above the position then.
    if (method !== "sanctioned") at.seq = Math.max(at.seq, seq);
    if (method !== "chat") return this.#follower.pushed(push, at.epoch);
    const { prev: _, ...message } = push.params;
    this.#follower.take({ messages: [message] }, at.epoch);
  }

  /** Reports whether a link follows the one before it; one that is known does not, either. */
  #follows(chain: keyof Chains, { seq, to, prev, cprev = prev }: Link, at: Position): boolean {
    if (seq <= at.seq) return false;
    if (cprev !== this.#newest[chain]) {
      // What the join brought is part of what is known.
      this.#proven = Math.min(this.#proven, Math.max(this.#joinSeq, this.#newest[chain]));
      this.#repair(this.#newest[chain], cprev ?? 0);
      return false;
    }
    this.#breaks = 0;
    if (to === undefined) this.#newest[chain] = seq; // private ones are not links
    return true;
  }

  /** What is before this one did not come: joins again from before that. */
  #repair(expected: number, got: number): void {
    if (this.#retry !== undefined) return; // that join waits to be repeated
    this.#follower.broken(expected, got);
    if (++this.#breaks <= MAX_BREAKS) return this.join();
    this.#breaks = 0;
    this.#follower.reconnect("the chain is broken");
  }

  #alive(): () => boolean {
    const generation = this.#generation;
    return () => generation === this.#generation;
  }

  #refused(error: ParleyError): void {
    if (error.code === ErrorCode.Disconnected) return;
    const held = this.#held ?? [];
    this.#held = undefined;
    // A channel token that is not accepted ends no membership.
    const stays = this.#inside && error.code === ErrorCode.Forbidden && error.data.reason;
    if (stays) return held.forEach((push) => this.push(push));
    this.#refusal = error;
    if (!isTransient(error)) return this.#follower.failed(error);
    // Channels that were refused together do not come back together.
    const wait = (error.retry ?? 0) + backoff(this.#failures++);
    this.#retry = setTimeout(() => this.join(), wait);
  }

  #received(result: JoinResult, alive: () => boolean): void {
    this.#failures = 0;
    this.#refusal = undefined;
    const { epoch } = result;
    const from = this.#from;
    if (!from || from.epoch !== epoch || result.reason === "epoch") {
      this.#follower.restart(epoch);
      this.#follower.take(result, epoch);
      return this.#settled(result, "fresh");
    }
    if (this.#continues(result, from)) {
      this.#follower.take(result, epoch);
      return this.#settled(result, "complete");
    }
    void this.#bridge(result, from, alive).then((outcome) => {
      if (alive()) this.#settled(result, outcome);
    });
  }

  /** Reports whether the result holds everything since the position. */
  #continues(result: JoinResult, from: Position): boolean {
    const oldest = result.messages[0];
    if (result.recovered) {
      const links = result.messages.filter((message) => message.to === undefined);
      return (links.at(-1)?.seq ?? this.#newest.chat) === result.last;
    }
    // Without the grant of history it is not said whether there is more.
    if (result.degraded || result.reason === "forbidden") return false;
    if (!result.more) return true;
    // What was done to the messages before these is known to pages alone.
    return result.clast === undefined && oldest !== undefined && oldest.seq <= from.seq;
  }

  /** Pages from the position to the result's messages, and to its changes, up to a cap. */
  async #bridge(result: JoinResult, from: Position, alive: () => boolean): Promise<Outcome> {
    const { epoch, messages } = result;
    // A recovery that its own chain proves incomplete cannot be relied on.
    const to = (result.recovered ? undefined : messages[0]?.seq) ?? result.seq + 1;
    const ask = (query: HistoryQuery) => this.#follower.history(query);
    let reached = from.seq;
    let whole = false;
    try {
      for await (const page of pagesAfter(ask, from, this.#maxMissed, alive)) {
        if (!alive()) return "partial";
        const missed = page.messages.filter((message) => message.seq < to);
        this.#follower.take({ ...page, messages: missed }, epoch);
        reached = reachedBy(page, reached);
        whole = page.end || (page.seq === undefined ? reached >= to : reached >= result.seq);
        if (whole) break;
      }
    } catch {
      // History cannot be read: what is missing is reported as a gap.
    }
    if (!alive()) return "partial";
    const missing = !whole && reached + 1 < to;
    if (!whole && result.clast !== undefined) this.#follower.doubt(from.seq, result.seq, epoch);
    if (missing) this.#follower.gap(reached, to, epoch);
    this.#follower.take(result, epoch);
    return missing ? "partial" : "complete";
  }

  /** The result is dealt with: continues live. */
  #settled(result: JoinResult, outcome: Outcome): void {
    this.#position = { epoch: result.epoch, seq: result.seq };
    this.#newest = { chat: result.last, changed: result.clast ?? 0 };
    this.#joinSeq = result.seq;
    this.#proven = Infinity;
    this.#inside = true;
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#follower.joined(result, outcome);
    for (const push of held) this.push(push);
  }
}
