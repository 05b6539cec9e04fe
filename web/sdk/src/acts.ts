import { backoff } from "./backoff.js";
import { ErrorCode, isTransient, ParleyError } from "./errors.js";
import { newId } from "./id.js";
import { expired, lost, type Position } from "./outbox.js";
import type { Action, ReactResult } from "./protocol.js";
import type { Requests } from "./requests.js";
import { handled } from "./wait.js";

type Timer = ReturnType<typeof setTimeout>;

/** What is asked for: a method and its parameters, and the action that allows it. */
interface Act {
  method: string;
  params: object;
  action: Action;
  /** Where the channel was when it was on the wire first. */
  attempted?: Position;
  resolve(result: never): void;
  reject(error: ParleyError): void;
}

/** What {@link Acts} needs of its channel. */
export interface Scene {
  /** Where the channel is, or undefined while nothing can be sent. */
  position(): Position | undefined;
  /** Seqs within which the server notices a repeated id. */
  dedupe(): number;
  rejoin(): void;
  /** The server cannot change messages. */
  unknown(): void;
}

/**
 * Changes of messages on their way out, one at a time and in order: a reaction
 * that is taken back must not come before it. What was not acknowledged is
 * repeated with the same id, while the server is sure to notice that.
 */
export class Acts {
  readonly #requests: Requests;
  readonly #scene: Scene;
  #queue: Act[] = [];
  /** Set while an answer is awaited, or the time to ask again. */
  #busy: Timer | true | undefined;
  #failures = 0;

  constructor(requests: Requests, scene: Scene) {
    this.#requests = requests;
    this.#scene = scene;
  }

  /** Asks for a change; resolves when it is durable. */
  add<Result extends ReactResult>(method: string, action: Action, params: { id?: string; [name: string]: unknown }) {
    const full = { ...params, id: params.id ?? newId() };
    const done = new Promise<Result>((resolve, reject) => {
      this.#queue.push({ method, action, params: full, resolve, reject });
      this.flush();
    });
    return handled(done);
  }

  /** Sends the next one, if it may be sent now. */
  flush(): void {
    const act = this.#queue[0];
    const position = this.#scene.position();
    if (!act || !position || this.#busy) return;
    if (act.attempted && expired(act.attempted, position, this.#scene.dedupe())) {
      this.#queue.shift();
      act.reject(lost());
      return this.flush();
    }
    const retry = act.attempted !== undefined || undefined;
    act.attempted ??= position;
    this.#busy = true;
    this.#requests.send(act.method, { ...act.params, retry }, act.action, (error, result) => {
      this.#busy = undefined;
      if (this.#queue[0] !== act) return this.flush();
      if (error && this.#goesOn(error)) return;
      this.#queue.shift();
      this.#failures = 0;
      if (!error) act.resolve(result as never);
      else act.reject(this.#refused(error));
      this.flush();
    });
  }

  /** Stops: what was not acknowledged is rejected. */
  stop(error: ParleyError): void {
    for (const act of this.#queue.splice(0)) act.reject(error);
    if (this.#busy !== true) this.#resume();
  }

  #resume(): void {
    clearTimeout(this.#busy as Timer);
    this.#busy = undefined;
    this.flush();
  }

  /** Reports whether an act that was refused is sent again. */
  #goesOn(error: ParleyError): boolean {
    if (error.code === ErrorCode.Disconnected) return true; // after the next join
    if (error.code === ErrorCode.NotJoined) return this.#scene.rejoin(), true;
    if (!isTransient(error)) return false;
    this.#busy = setTimeout(() => this.#resume(), error.retry ?? backoff(this.#failures++));
    return true;
  }

  #refused(error: ParleyError): ParleyError {
    if (error.code !== ErrorCode.UnknownMethod) return error;
    this.#scene.unknown();
    return new ParleyError(error.code, "this server cannot change messages yet");
  }
}
