/** How many hues there are; the style sheet has one for each. */
export const HUES = 18;

/** One of a few hues, the same for a name everywhere. */
export function hue(name: string): string {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) >>> 0;
  // The low bits alone depend on the last characters alone.
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b) >>> 0;
  return `hue-${((hash ^ (hash >>> 16)) >>> 0) % HUES}`;
}

const graphemes = new Intl.Segmenter();

/** One or two characters that stand for a name: the first of its first and last word. */
export function initials(name: string): string {
  const words = name.split(/[^\p{L}\p{M}\p{N}\p{Emoji_Presentation}\u200d\ufe0f]+/u).filter(Boolean);
  const firsts = words.map((word) => graphemes.segment(word)[Symbol.iterator]().next().value!.segment);
  const [first = "?"] = firsts;
  // Characters that fill a square have room for one.
  const wide = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{Emoji_Presentation}]/u;
  const last = firsts.length > 1 && !wide.test(first) ? firsts.at(-1)! : "";
  return (first + (wide.test(last) ? "" : last)).toLocaleUpperCase();
}
