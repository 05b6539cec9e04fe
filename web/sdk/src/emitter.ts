/** Events by name, with the payload that their listeners get. */
export type EventMap = Record<string, unknown>;

/**
 * A typed list of listeners. A listener that throws disturbs neither the
 * others nor the connection: its error is reported as an uncaught one.
 */
export class Emitter<Events extends EventMap> {
  /** By the name of their event, and whether they are called only once. */
  readonly #listeners = new Map<keyof Events, Map<(payload: never) => void, boolean>>();

  /** Calls listener on every such event, until the returned function, or {@link off}, is called. */
  on<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): () => void {
    return this.#add(name, listener, false);
  }

  /** Calls listener on the next such event only, unless the returned function, or {@link off}, is called first. */
  once<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): () => void {
    return this.#add(name, listener, true);
  }

  /** Calls listener on no such event any more. */
  off<Name extends keyof Events>(name: Name, listener: (payload: Events[Name]) => void): void {
    this.#listeners.get(name)?.delete(listener);
  }

  /** Tells the listeners; for this library's own classes. @internal */
  protected emit<Name extends keyof Events>(name: Name, payload?: Events[Name]): void {
    const listeners = this.#listeners.get(name);
    for (const [listener, once] of [...(listeners ?? [])]) {
      if (!listeners!.has(listener)) continue; // another one has taken it off
      if (once) listeners!.delete(listener);
      try {
        (listener as (payload?: Events[Name]) => void)(payload);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #add(name: keyof Events, listener: (payload: never) => void, once: boolean): () => void {
    const listeners = this.#listeners.get(name) ?? new Map<(payload: never) => void, boolean>();
    this.#listeners.set(name, listeners.set(listener, once));
    return () => void listeners.delete(listener);
  }
}
