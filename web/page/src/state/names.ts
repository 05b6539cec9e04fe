/** How many hues there are; the style sheet has one for each. */
export const HUES = 18;

/** One of a few hues, the same for a name everywhere. */
export function hue(name: string): string {
  // FNV-1a, stirred: the low bits alone depend on the last characters alone.
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return `hue-${((hash ^ (hash >>> 13)) >>> 0) % HUES}`;
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
