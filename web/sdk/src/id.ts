const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * A new ULID: 48 bits of time and 80 random ones. It does without
 * `crypto.randomUUID`, which browsers offer on secure origins only.
 */
export function newId(now: number = Date.now()): string {
  let time = "";
  for (let i = 0, rest = now; i < 10; i++, rest = Math.floor(rest / 32)) {
    time = ALPHABET.charAt(rest % 32) + time;
  }
  let tail = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) tail += ALPHABET.charAt(byte % 32);
  return time + tail;
}
