import { createContext } from "preact";
import { useContext } from "preact/hooks";

/** Whether a row is the one of the list that the Tab key leads to. */
export const Current = createContext(false);

/** The `tabIndex` of what is in a row: the list is one stop, and arrows lead from row to row. */
export function useStop(): 0 | -1 {
  return useContext(Current) ? 0 : -1;
}

const STEPS: Record<string, -1 | 1> = { ArrowUp: -1, ArrowDown: 1 };

/** Goes from message to message with the arrow keys; Enter opens the menu of one. */
export function walk(event: KeyboardEvent): void {
  const article = event.target as HTMLElement;
  if (!article.matches("article.message") || event.altKey || event.ctrlKey || event.metaKey) return;
  const step = STEPS[event.key];
  if (event.key === "Enter") article.querySelector<HTMLElement>(".more")?.click();
  else if (step === undefined) return;
  else {
    const all = [...article.closest(".window")!.querySelectorAll<HTMLElement>("article.message")];
    all[all.indexOf(article) + step]?.focus();
  }
  event.preventDefault();
}
