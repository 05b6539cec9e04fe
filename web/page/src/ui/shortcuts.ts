import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { App } from "../state/app.ts";

/**
 * Reports whether a key belongs to an input method that composes characters.
 * Safari ends the composition before the key that does so, which has this code.
 */
export function composing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** What lies over the chat: the way to places by name, the list of keys, or the search. */
export const overlay = signal<"switcher" | "keys" | "search" | undefined>(undefined);

/** Escape closes what lies over the chat; Alt and an arrow show the next channel. */
export function useShortcuts(app: App, close: () => void): void {
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      if (composing(event)) return;
      if (document.querySelector("dialog[open]")) return; // it has Escape for itself
      if (event.key === "Escape") close();
      const opens = opened(event);
      if (opens) {
        event.preventDefault();
        overlay.value = opens;
      }
      if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
      event.preventDefault();
      app.step(event.key === "ArrowUp" ? -1 : 1);
    };
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);
}

/** What a key opens, wherever the focus is; a single character only where one does not write. */
function opened(event: KeyboardEvent): "switcher" | "keys" | "search" | undefined {
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
  if (key.toLowerCase() === "k" && (ctrlKey || metaKey) && !altKey && !shiftKey) return "switcher";
  const writing = event.target instanceof Element && event.target.closest("input, textarea, select");
  if (ctrlKey || metaKey || writing) return undefined;
  return key === "?" ? "keys" : key === "/" ? "search" : undefined;
}
