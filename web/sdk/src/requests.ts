import { backoff } from "./backoff.js";
import type { Link } from "./channel-types.js";
import type { Answer } from "./connection.js";
import { ErrorCode, isTransient, type ParleyError } from "./errors.js";
import type { Content } from "./outbox.js";
import type { Action, ChatResult, RepeatResult } from "./protocol.js";
import { answered, bounded, type WaitOptions } from "./wait.js";

/** What a channel asks of the server, and what the answers tell of the user's rights. */
export class Requests {
  /** The actions that were refused, and not allowed since. */
  readonly forbidden = new Set<Action>();
  /** The channel's name. */
  readonly channel: string;
  readonly #link: Link;
  readonly #changed: () => void;

  constructor(link: Link, channel: string, changed: () => void) {
    this.#link = link;
    this.channel = channel;
    this.#changed = changed;
  }

  /** Asks for what an action allows; the query says how long to wait, too. */
  ask<Result>(method: string, query: object, action: Action): Promise<Result> {
    const { timeout, signal, ...params } = query as WaitOptions;
    const asked = answered<Result>((answer) => this.send(method, params, action, answer));
    return bounded(asked, { timeout, signal }, `no answer to ${method}`);
  }

  /** Sends a message; `retry` where it may have been sent before. */
  post(
    outgoing: Content & { id: string; body: string },
    retry: boolean,
    answer: Answer<ChatResult | RepeatResult>,
  ): void {
    const { id, body, to, type, data, reply, mentions } = outgoing;
    // What is undefined is not in the frame.
    const message = { id, body, to, type, data, reply, mentions, retry: retry || undefined };
    this.send("chat", message, to === undefined ? "chat" : "private", answer);
  }

  send<Result>(method: string, params: object, action: Action, answer: Answer<Result>): void {
    const full = { channel: this.channel, ...params };
    this.#link.request<Result>(method, full, (error, result) => {
      this.#learn(error, action);
      answer(error, result);
    });
  }

  /** Leaves, until the server accepts it or there is nothing left to leave. */
  leave(done: () => void, attempt = 0): void {
    if (this.#link.has(this.channel)) return done(); // it was joined again
    this.#link.request("leave", { channel: this.channel }, (error) => {
      const passing = error && isTransient(error) && error.code !== ErrorCode.Disconnected;
      if (!passing) return done();
      setTimeout(() => this.leave(done, attempt + 1), error.retry ?? backoff(attempt));
    });
  }

  /** What was refused may be allowed now. */
  forget(): void {
    if (this.forbidden.size === 0) return;
    this.forbidden.clear();
    this.#changed();
  }

  #learn(error: ParleyError | undefined, action: Action): void {
    const before = this.forbidden.size;
    // That a message is too old says nothing of others.
    const refused = error?.code === ErrorCode.Forbidden && error.data.reason === undefined;
    const missing = refused && error.data.action;
    if (!error) this.forbidden.delete(action);
    else if (missing) this.forbidden.add(missing);
    if (this.forbidden.size !== before) this.#changed();
  }
}
