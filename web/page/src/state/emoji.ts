import { language, type Language } from "./i18n.ts";
import { browser, isStrings } from "./storage.ts";

/** At hand for every message. */
export const AT_HAND = ["👍", "❤️", "😂", "🎉", "😮", "😢"] as const;

/** What there is to choose from before the others are loaded; eight are in a row. */
const COMMON: readonly string[] = (
  "👍 👎 👏 🙌 🙏 🤝 💪 👋 👌 ✌️ 🤞 🫶 👀 🧠 🫡 🤷 " +
  "😀 😄 😁 😂 🤣 😊 🙂 😉 😍 🥰 😘 😎 🤓 🤔 🤨 😐 " +
  "🙄 😏 😬 😮 😲 😳 🥺 😢 😭 😤 😡 🤯 😱 😴 🤗 🥳 " +
  "❤️ 🧡 💛 💚 💙 💜 🖤 💔 🔥 ✨ ⭐ 🎉 🎊 🎁 🏆 🥇 " +
  "✅ ❌ ❓ ❗ 💯 ➕ ➖ ⏳ 🚀 🐛 💡 🔧 📌 📈 ☕ 🍰"
).split(" ");

/** An emoji with its name and other words for it. */
export type Emoji = [emoji: string, name: string, words: string];

/** What is found at most. */
const MOST = 64;
/** Emoji that are remembered: two rows. */
const RECENT = 16;

const loaders: Record<Language, () => Promise<{ default: Emoji[][] }>> = {
  en: () => import("virtual:emoji/en"),
  zh: () => import("virtual:emoji/zh"),
};

/** All emoji in the language in use, by group; fetched once. */
export async function loadEmoji(): Promise<Emoji[][]> {
  return (await loaders[language.value]()).default;
}

/** The emoji that a text names, those first whose name begins with it. */
export function findEmoji(groups: readonly Emoji[][], text: string): Emoji[] {
  const wanted = text.trim().toLowerCase();
  const all = groups.flat();
  const starts = all.filter(([, name]) => name.toLowerCase().startsWith(wanted));
  const has = all.filter(([, name, words]) => `${name} ${words}`.toLowerCase().includes(wanted));
  return [...new Set([...starts, ...has])].slice(0, MOST);
}

/** The emoji used last, and then those that people use most. */
export function favourites(): string[] {
  const recent = browser.get("emoji", isStrings) ?? [];
  return [...new Set([...recent.slice(0, RECENT), ...COMMON])];
}

/** Remembers that an emoji was used. */
export function used(emoji: string): void {
  const recent = browser.get("emoji", isStrings) ?? [];
  browser.set("emoji", [...new Set([emoji, ...recent])].slice(0, RECENT));
}
