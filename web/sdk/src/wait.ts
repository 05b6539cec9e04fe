import type { Answer } from "./connection.js";
import { ErrorCode, ParleyError } from "./errors.js";

/** Ends a wait early. What was waited for continues all the same. */
export interface WaitOptions {
  /** Milliseconds after which the promise rejects with {@link ErrorCode.Timeout}. */
  timeout?: number | undefined;
  /** When it is aborted, the promise rejects with its reason. */
  signal?: AbortSignal | undefined;
}

/** Those who wait for one thing. */
export class Waiters {
  readonly #waiting = new Set<{ resolve(): void; reject(error: unknown): void }>();

  /** Waits for `settle`; see {@link bounded}. */
  add(options: WaitOptions, what: string, why: () => ParleyError | undefined): Promise<void> {
    let end = () => {};
    const settled = new Promise<void>((resolve, reject) => {
      const waiter = { resolve, reject };
      end = () => this.#waiting.delete(waiter);
      this.#waiting.add(waiter);
    });
    const promise = bounded(settled, options, what, why);
    promise.then(end, end);
    return promise;
  }

  settle(error?: ParleyError): void {
    for (const { resolve, reject } of this.#waiting) error ? reject(error) : resolve();
    this.#waiting.clear();
  }
}

/**
 * The promise of the same, which may be given up earlier: then its error says
 * what did not come in time, and, as far as that is known, why.
 */
export function bounded<T>(
  promise: Promise<T>,
  { timeout, signal }: WaitOptions,
  what: string,
  why?: () => ParleyError | undefined,
): Promise<T> {
  let end = () => {};
  const either = new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal!.reason);
    const late = () => {
      const cause = why?.();
      const text = `${what} within ${timeout} ms${cause ? `: ${cause.message}` : ""}`;
      const options = cause && { cause };
      reject(new ParleyError(ErrorCode.Timeout, text, cause && { reason: cause.message }, options));
    };
    const timer = timeout === undefined ? undefined : setTimeout(late, timeout);
    const waiting = new AbortController();
    end = () => {
      clearTimeout(timer);
      waiting.abort();
    };
    promise.then(resolve, reject);
    signal?.addEventListener("abort", abort, waiting);
    if (signal?.aborted) abort();
  });
  either.then(end, end); // and nobody has to handle it
  return either;
}

/**
 * Marks a promise as handled: whoever does not care about the outcome must
 * not see the process end by it.
 */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** The promise of an answer. */
export function answered<Result>(ask: (answer: Answer<Result>) => void): Promise<Result> {
  const promise = new Promise<Result>((resolve, reject) => {
    ask((error, result) => (error ? reject(error) : resolve(result)));
  });
  return handled(promise);
}
