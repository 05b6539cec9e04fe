/** A piece of a message's text; `found` where it is a word that was looked for. */
export interface Part {
  text: string;
  found: boolean;
}

/** Characters of a text that are shown, and of those before its first word that was found. */
const SHOWN = 240;
const BEFORE = 60;

/** The part of a text around what was found in it, on one line. Ranges are in UTF-16 code units. */
export function snippet(body: string, ranges: readonly (readonly [number, number])[]): Part[] {
  const first = ranges[0]?.[0] ?? 0;
  let from = first <= BEFORE ? 0 : first - BEFORE;
  let to = Math.min(body.length, from + SHOWN);
  // Not through the middle of a character.
  if (isLow(body, from)) from++;
  if (isLow(body, to)) to--;
  const parts: Part[] = [];
  const add = (text: string, found: boolean) => {
    if (text !== "") parts.push({ text: text.replace(/\s+/gu, " "), found });
  };
  let end = from;
  if (from > 0) add("…", false);
  for (const [begin, stop] of ranges) {
    if (begin < end || stop > to) continue;
    add(body.slice(end, begin), false);
    add(body.slice(begin, stop), true);
    end = stop;
  }
  add(body.slice(end, to), false);
  if (to < body.length) add("…", false);
  return parts;
}

/** Whether the second half of a surrogate pair is there. */
function isLow(text: string, at: number): boolean {
  return /[\udc00-\udfff]/.test(text.charAt(at)) && /[\ud800-\udbff]/.test(text.charAt(at - 1));
}
