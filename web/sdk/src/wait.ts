import type { Answer } from "./connection.js";
import { ErrorCode, ParleyError } from "./errors.js";

/** Ends a wait early. What was waited for continues all the same. */
export interface WaitOptions {
  /** Milliseconds after which the promise rejects with {@link ErrorCode.Timeout}. */
  timeout?: number;
  /** When it is aborted, the promise rejects with its reason. */
  signal?: AbortSignal;
}

/** Those who wait for one thing. */
export class Waiters {
  readonly #waiting = new Set<{ resolve(): void; reject(error: unknown): void }>();

  /** Waits for `settle`; `late` makes the error of a wait that took too long. */
  add({ timeout, signal }: WaitOptions, late: (within: number) => ParleyError): Promise<void> {
    let end = () => {};
    const promise = new Promise<void>((resolve, reject) => {
      const waiter = { resolve, reject };
      const giveUp = (error: unknown) => {
        this.#waiting.delete(waiter);
        reject(error);
      };
      const abort = () => giveUp(signal!.reason);
      const timer =
        timeout === undefined ? undefined : setTimeout(() => giveUp(late(timeout)), timeout);
      end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      this.#waiting.add(waiter);
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) abort();
    });
    promise.then(end, end); // and nobody has to handle it
    return promise;
  }

  settle(error?: ParleyError): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { resolve, reject } of waiting) error ? reject(error) : resolve();
  }
}

/** The error of a wait that took too long, with what prevented it. */
export function tooLate(what: string, within: number, cause: string | undefined): ParleyError {
  const text = `${what} within ${within} ms${cause ? `: ${cause}` : ""}`;
  return new ParleyError(ErrorCode.Timeout, text);
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
