import { useEffect } from "preact/hooks";
import type { App } from "../state/app.ts";

/**
 * Reports whether a key belongs to an input method that composes characters.
 * Safari ends the composition before the key that does so, which has this code.
 */
export function composing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** Escape closes what lies over the chat; Alt and an arrow show the next channel. */
export function useShortcuts(app: App, close: () => void): void {
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      if (composing(event)) return;
      if (document.querySelector("dialog[open]")) return; // it has Escape for itself
      if (event.key === "Escape") close();
      if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
      event.preventDefault();
      app.step(event.key === "ArrowUp" ? -1 : 1);
    };
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);
}
