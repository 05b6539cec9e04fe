import { effect, signal } from "@preact/signals";
import { language } from "./i18n.ts";
import { browser } from "./storage.ts";

export type Theme = "auto" | "light" | "dark";

function isTheme(value: unknown): value is Theme {
  return value === "auto" || value === "light" || value === "dark";
}

export const theme = signal<Theme>(browser.get("theme", isTheme) ?? "auto");

/** Keeps the document in the chosen theme and language, and remembers both. */
export function applyAppearance(): void {
  effect(() => {
    if (theme.value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
    browser.set("theme", theme.value);
  });
  let first = true;
  effect(() => {
    document.documentElement.lang = language.value;
    // The browser's own language is followed until another one is chosen.
    if (!first) browser.set("language", language.value);
    first = false;
  });
}
