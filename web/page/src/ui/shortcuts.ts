import { useEffect } from "preact/hooks";
import type { App } from "../state/app.ts";

/** Escape closes what lies over the chat; Alt and an arrow show the next channel. */
export function useShortcuts(app: App, close: () => void): void {
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
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
