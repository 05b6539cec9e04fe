import type { Key } from "./i18n.ts";

/** A question that is asked before something is done that cannot be undone. */
export interface Question {
  text: Key;
  name?: string;
  unsent: { messages: number; drafts: number };
  /** What is done, in a word. */
  answer: Key;
  act(): void;
}
