/** A piece of a message: plain text, or an address to be shown as a link. */
export type Piece = string | { href: string; text: string };

/** Chinese punctuation never belongs to an address, and no space comes before it. */
const ADDRESS = /\bhttps?:\/\/[^\s<>"'`{}|\\^。，：；！？、…（）【】「」《》“”]+/giu;
const START = new RegExp(ADDRESS.source.replace("\\b", ""), "iuy");
/** Characters that end a sentence rather than an address. */
const TRAILING = ".,:;!?";

/** Finds the web addresses in a text. Everything else stays text. */
export function linkify(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trim(match[0]);
    const href = parse(address);
    if (href === undefined) continue;
    if (match.index > end) pieces.push(text.slice(end, match.index));
    pieces.push({ href, text: address });
    end = match.index + address.length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}

/** The web address that begins at a place in a text, without the marks of Markdown around it. */
export function addressAt(text: string, at: number): Exclude<Piece, string> | undefined {
  START.lastIndex = at;
  const found = START.exec(text)?.[0];
  if (found === undefined || /[\p{L}\p{N}_]/u.test(text.charAt(at - 1))) return undefined;
  const address = trim(found.replace(/[*_~]+[.,:;!?]*$/, ""));
  const href = parse(address);
  return href === undefined ? undefined : { href, text: address };
}

/** An address as a link may have it; any other scheme than those of the web is none. */
export function parse(address: string): string | undefined {
  try {
    const url = new URL(address);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/** Leaves out the punctuation around an address: "(see https://a.example)." */
function trim(address: string): string {
  let unopened = count(address, ")") - count(address, "(");
  let end = address.length;
  for (; end > 0; end--) {
    const last = address[end - 1]!;
    if (last === ")" && unopened > 0) unopened--;
    else if (!TRAILING.includes(last)) break;
  }
  return address.slice(0, end);
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
