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

/** Characters that are not seen, or turn what follows them around. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu;
/** What joiners join: emoji, and letters of scripts that are written joined. */
const JOINED =
  /^(?:[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f\p{M}]|(?![\p{sc=Latin}\p{sc=Cyrillic}\p{sc=Greek}\p{sc=Han}])\p{L})$/u;

/** A name as it may be shown: what is hidden in it is told, so that it is not taken for another one. */
export function legible(name: string): string {
  return name.replace(HIDDEN, (hidden, at: number) => {
    const before = [...name.slice(0, at)].at(-1) ?? "";
    const [after = ""] = name.slice(at + hidden.length);
    const joins = hidden === "\u200c" || hidden === "\u200d";
    if (joins && JOINED.test(before) && JOINED.test(after)) return hidden;
    return `<U+${hidden.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}>`;
  });
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
