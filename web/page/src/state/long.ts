/** Lines of a long message that are shown until one asks for all of them. */
export const LINES_SHOWN = 30;
/** Characters that fill about three times as many lines. */
const LONG = 6_000;

/** Reports whether a message is so long that it would push the others out of sight. */
export function isLong(text: string): boolean {
  if (text.length > LONG) return true;
  let lines = 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    if (++lines > LINES_SHOWN) return true;
  }
  return false;
}

/** Bytes that the name of a user or a channel has at most. */
export const MAX_NAME = 128;

const encoder = new TextEncoder();

/** How many bytes a text has beyond a limit of the server's; none or less where it fits. */
export function excessOf(text: string, limit: number): number {
  return encoder.encode(text).length - limit;
}
