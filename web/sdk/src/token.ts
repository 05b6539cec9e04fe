import { backoff } from "./backoff.js";

/** The most that a timer takes, in milliseconds. */
const LONGEST = 2 ** 31 - 1;
/** How long before its end a token is replaced, at most. */
const EARLY = 60_000;
/** Tokens that seem to end at once, by a wrong clock, are not fetched without pause. */
const LEAST = 10_000;

/** A token that is fetched when it is needed, and used for as long as it lasts. */
export class Token {
  readonly #fetch: (() => string | Promise<string>) | undefined;
  #value: string | undefined;
  /** When it is to be replaced, by the clock that nobody sets. */
  #dueAt = 0;
  #calls = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Without `fetch`, `value` is all there ever is. */
  constructor(fetch?: () => string | Promise<string>, value?: string) {
    this.#fetch = fetch;
    this.#keep(value);
  }

  /** Whether another one can be had. */
  get renewable(): boolean {
    return this.#fetch !== undefined;
  }

  /** Whether the one at hand lasts for now. */
  get good(): boolean {
    return performance.now() < this.#dueAt;
  }

  /** The one at hand while it lasts, else a fresh one. */
  async get(): Promise<string | undefined> {
    return this.good ? this.#value : this.renew();
  }

  /** A fresh one; without `fetch`, the same again. */
  async renew(): Promise<string | undefined> {
    if (!this.#fetch) return this.#value;
    const call = ++this.#calls;
    const value = await this.#fetch();
    if (call === this.#calls) this.#keep(value);
    return value;
  }

  /** The server does not take it: the next one is a fresh one. */
  drop(): void {
    if (this.#fetch) this.#keep(undefined);
  }

  /** Renews before the one at hand runs out; where that fails again after a while, until {@link unwatch}. */
  watch(renew: () => Promise<unknown>): void {
    const left = this.#dueAt - performance.now();
    this.unwatch();
    if (this.#fetch && left > 0) this.#renewIn(left, renew, 1);
  }

  #renewIn(wait: number, renew: () => Promise<unknown>, attempt: number): void {
    const timer = (this.#timer = setTimeout(() => {
      renew().catch(() => {
        if (timer !== this.#timer) return;
        this.#renewIn(1_000 + backoff(attempt), renew, attempt + 1);
      });
    }, wait));
  }

  /** Renews no more. */
  unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #keep(value: string | undefined): void {
    this.#value = value;
    this.#dueAt = performance.now() + (value ? lasts(value) : 0);
  }
}

/** Milliseconds after which a JWT is replaced; 0 where it does not say when it ends. */
export function lasts(token: string, random: () => number = Math.random): number {
  const { exp, iat } = claims(token);
  if (typeof exp !== "number") return 0;
  const left = exp * 1000 - Date.now();
  const whole = typeof iat === "number" ? (exp - iat) * 1000 : left;
  // Where the clock cannot be right, the token counts as issued just now.
  const end = left > 0 && left < whole ? left : whole;
  const due = end - Math.min(end / 4, EARLY) * (0.5 + random() / 2);
  return Math.min(Math.max(due, Math.min(whole / 4, LEAST), 0), LONGEST);
}

function claims(token: string): { exp?: unknown; iat?: unknown } {
  try {
    const payload = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(atob(payload)) ?? {};
  } catch {
    return {}; // of another kind: the server knows
  }
}
