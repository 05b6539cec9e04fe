import { computed, signal } from "@preact/signals";

/** What the tab keeps of drafts: a text for each conversation. */
export interface SavedDrafts {
  texts: [to: string | null, text: string][];
}

export function isSavedDrafts(value: unknown): value is SavedDrafts {
  const recipient = (to: unknown) => to === null || (typeof to === "string" && to !== "");
  const { texts } = (value ?? {}) as Partial<SavedDrafts>;
  return (
    Array.isArray(texts) &&
    texts.every((pair) => Array.isArray(pair) && recipient(pair[0]) && typeof pair[1] === "string")
  );
}

/**
 * What is written in one channel and not sent yet. Every recipient has a text
 * of their own, and so has everybody together: no change of the recipient takes
 * a text along, so that nothing private is ever shown to anybody else.
 */
export class Drafts {
  /** The user with whom the conversation is that is shown; undefined for everybody. */
  readonly to = signal<string | undefined>(undefined);
  readonly #texts = signal<ReadonlyMap<string | undefined, string>>(new Map());
  /** The text for that recipient. */
  readonly text = computed(() => this.#texts.value.get(this.to.value) ?? "");

  /** How many recipients have a text that waits for them. */
  get count(): number {
    return [...this.#texts.value.values()].filter((text) => text.trim() !== "").length;
  }

  /** The conversations in which a text waits. */
  get peers(): Iterable<string | undefined> {
    return this.#texts.value.keys();
  }

  textFor(to: string | undefined): string {
    return this.#texts.value.get(to) ?? "";
  }

  set(text: string, to = this.to.value): void {
    const texts = new Map(this.#texts.value);
    if (text === "") texts.delete(to);
    else texts.set(to, text);
    this.#texts.value = texts;
  }

  /** What is to be kept, or undefined when there is nothing. */
  save(): SavedDrafts | undefined {
    if (this.#texts.value.size === 0) return undefined;
    const texts = [...this.#texts.value].map(([to, text]): [string | null, string] => [to ?? null, text]);
    return { texts };
  }

  /** Takes up what was kept, below what was written since. */
  restore({ texts }: SavedDrafts): void {
    const kept = texts.map(([to, text]): [string | undefined, string] => [to ?? undefined, text]);
    this.#texts.value = new Map([...kept, ...this.#texts.value]);
  }
}
