import { signal } from "@preact/signals";
import { zh } from "./chinese.ts";
import { en } from "./english.ts";
import { browser, isString } from "./storage.ts";

export type Key = keyof typeof en;

const languages = { en, zh };
export type Language = keyof typeof languages;

/** Each language's name for itself. */
export const languageNames: Record<Language, string> = { en: "English", zh: "中文" };

function preferred(): Language {
  const chosen = browser.get("language", isString) ?? "";
  if (Object.hasOwn(languages, chosen)) return chosen as Language;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** The language in use; components that read it follow its changes. */
export const language = signal<Language>(preferred());

export type Values = Record<string, string | number>;

/** The text for a key, with its `{places}` filled; for people to see, `Text` is better. */
export function t(key: Key, values: Values = {}): string {
  return pieces(key, values).map(plain).join("");
}

/**
 * The text for a key in pieces: every second one fills a place. Where a text has
 * two forms, `one thing|{n} things`, the first is that for one.
 */
export function pieces(key: Key, values: Values): string[] {
  const [one, many = one] = languages[language.value][key].split("|");
  const parts = (values.n === 1 ? one! : many!).split(/\{(\w+)\}/);
  return parts.map((part, i) => (i % 2 === 0 ? part : String(values[part] ?? "")));
}

/**
 * A text without the characters that turn what follows them around: where there
 * is no markup to keep a name apart, it must not change the words beside it.
 */
export function plain(text: string): string {
  return text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}

/** The document's title where a channel is shown. */
export function titled(channel: string | undefined, unread: number): string {
  const title = channel === undefined ? "Parley" : `${plain(channel)} – Parley`;
  return unread > 0 ? `(${unread}) ${title}` : title;
}
