/** Where in a text a name is being written after an @. */
export interface Beginning {
  /** The index of the @. */
  at: number;
  /** What stands between it and the cursor. */
  prefix: string;
}

/** Finds the mention that is being written before the cursor. */
export function beginning(text: string, cursor: number): Beginning | undefined {
  const at = text.lastIndexOf("@", cursor - 1);
  if (at < 0 || cursor <= at) return undefined;
  const prefix = text.slice(at + 1, cursor);
  // An address of e-mail is none, and a name ends with its line.
  if (/[\p{L}\p{N}._-]$/u.test(text.slice(0, at)) || /[\n@]|^\s|\s\S*\s/u.test(prefix)) return undefined;
  return { at, prefix };
}

/** The users whose names go on like that, the shortest first. */
export function matching(users: readonly string[], prefix: string, most = 6): string[] {
  const wanted = prefix.toLowerCase();
  const found = users.filter((user) => user.toLowerCase().startsWith(wanted));
  return found.sort((a, b) => a.length - b.length).slice(0, most);
}

/** The users of a list whom a text mentions by an @ and their name. */
export function mentioned(text: string, users: readonly string[], most = 50): string[] {
  if (!text.includes("@")) return [];
  return [...new Set(split(text, users).flatMap((piece) => piece.user ?? []))].slice(0, most);
}

/** A piece of text; with `user` it is a mention of them. */
export interface Piece {
  text: string;
  user?: string;
}

/** Splits a text at the mentions of some users; of names that begin alike the longest counts. */
export function split(text: string, users: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  const names = [...users].sort((a, b) => b.length - a.length);
  let end = 0;
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    const user = mentionAt(text, at, names);
    if (user === undefined) continue;
    if (at > end) pieces.push({ text: text.slice(end, at) });
    end = at + 1 + user.length;
    pieces.push({ text: text.slice(at, end), user });
    at = end - 1;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}

/** Whom the @ at a place in a text mentions, of names of which the longest come first. */
export function mentionAt(text: string, at: number, names: readonly string[]): string | undefined {
  return names.find((name) => text.startsWith(name, at + 1) && !goesOn(text, at + 1 + name.length));
}

/** Whether a word goes on there, so that it is another name: not where one runs on without spaces. */
function goesOn(text: string, at: number): boolean {
  return /[\p{L}\p{N}_]/u.test(text.charAt(at - 1)) && /^[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N}_]/u.test(text.slice(at, at + 2));
}
