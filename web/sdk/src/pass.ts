import { backoff } from "./backoff.js";
import type { Link } from "./channel-types.js";
import type { Answer } from "./connection.js";
import { ErrorCode, isTransient, isUnauthorized, ParleyError } from "./errors.js";
import type { JoinResult } from "./protocol.js";
import type { Requests } from "./requests.js";
import { Token } from "./token.js";

/** Joins a channel, with a channel token where one is needed. */
export class Pass {
  readonly #requests: Requests;
  readonly #token: Token;
  readonly #extend: () => void;
  /** Whether the first join needs a token, too. */
  readonly #always: boolean;
  #needed: boolean;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /**
   * `own` is asked before every join, what the link has when one is refused.
   * `extend` joins again, which extends the membership by a fresh token.
   */
  constructor(requests: Requests, link: Link, own: Link["getToken"], extend: () => void) {
    const getToken = own ?? link.getToken;
    this.#requests = requests;
    this.#extend = extend;
    this.#token = new Token(getToken && (() => getToken(requests.channel)));
    this.#needed = this.#always = own !== undefined;
  }

  /** Reports whether another token may let the user in again; the one at hand does not. */
  replace(): boolean {
    this.#token.drop();
    return this.#token.renewable;
  }

  /** Asks to join; asks for nothing more once `alive` says no. */
  join(params: object, answer: Answer<JoinResult>, alive: () => boolean): void {
    if (this.#needed) this.#withToken(params, answer, alive);
    else this.#ask(undefined, false, params, answer, alive);
  }

  /** Waits for nothing any more. */
  stop(): void {
    clearTimeout(this.#retry);
    this.#token.unwatch();
  }

  #ask(
    token: string | undefined,
    fresh: boolean,
    params: object,
    answer: Answer<JoinResult>,
    alive: () => boolean,
  ): void {
    const full = token ? { ...params, token } : params;
    this.#requests.send<JoinResult>("join", full, "join", (error, result) => {
      if (!error && token) this.#token.watch(() => this.#renew(alive));
      const refused = error?.code === ErrorCode.Forbidden && !isTransient(error);
      if (!refused || !this.replace() || fresh || !alive()) return answer(error, result);
      this.#needed = true;
      this.#withToken(params, answer, alive, error);
    });
  }

  #withToken(
    params: object,
    answer: Answer<JoinResult>,
    alive: () => boolean,
    refusal?: ParleyError,
    attempt = 0,
  ): void {
    const fresh = !this.#token.good;
    this.#token.get().then(
      (token) => alive() && this.#ask(token, fresh, params, answer, alive),
      (cause: unknown) => {
        if (!alive()) return;
        if (isUnauthorized(cause)) {
          this.#needed = this.#always;
          const text = cause.message || "no channel token";
          const error = refusal ?? new ParleyError(ErrorCode.Forbidden, text, { action: "join" });
          return answer(error, undefined as never);
        }
        const again = () => this.#withToken(params, answer, alive, refusal, attempt + 1);
        this.#retry = setTimeout(again, backoff(attempt));
      },
    );
  }

  /** Brings a fresh token; `removed` comes when there is none. */
  async #renew(alive: () => boolean): Promise<void> {
    try {
      await this.#token.renew();
    } catch (cause) {
      if (alive() && !isUnauthorized(cause)) throw cause;
      return;
    }
    if (alive()) this.#extend();
  }
}
