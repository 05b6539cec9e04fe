import { language } from "./i18n.ts";

const formats = new Map<string, Intl.DateTimeFormat>();

/** Formats are costly to make: one of each kind and language is kept. */
function format(kind: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language.value}/${kind}`;
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.DateTimeFormat(locale(), options)));
  return found;
}

/**
 * The reader's own variant of the language in use: 14:05 in London, 2:05 PM in
 * Boston. Browsers may name an invalid language tag, such as `en-US@posix`.
 */
function locale(): string {
  const own = navigator.languages.filter((tag) => tag.startsWith(language.value));
  return own.find(isTag) ?? language.value;
}

function isTag(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length > 0;
  } catch {
    return false;
  }
}

/** The time of day: 14:05. */
export function clock(time: number): string {
  return format("clock", { hour: "2-digit", minute: "2-digit" }).format(time);
}

/** A day as people name it: Monday, 23 November 2026. */
export function day(time: number): string {
  return format("day", { dateStyle: "full" }).format(time);
}

/** Date and time to the second. */
export function moment(time: number): string {
  return format("moment", { dateStyle: "long", timeStyle: "medium" }).format(time);
}

/** Date and time to the minute. */
export function minute(time: number): string {
  return format("minute", { dateStyle: "long", timeStyle: "short" }).format(time);
}

/** A length of time in seconds: 30 sec, 5 min. */
export function length(seconds: number): string {
  const [n, unit] = seconds < 60 ? [seconds, "second"] : seconds < 3600 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  const options = { style: "unit", unit, maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(language.value, options).format(n as number);
}

/** Seconds that are left, as on a clock: 0:45. */
export function countdown(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
