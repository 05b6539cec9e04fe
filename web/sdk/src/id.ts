/**
 * A new id, like a ULID: 48 bits of time and 80 random ones, ordered by time. It does
 * without `crypto.randomUUID`, which browsers offer on secure origins only.
 */
export function newId(now: number = Date.now()): string {
  let id = now.toString(32).padStart(10, "0");
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) id += (byte % 32).toString(32);
  return id;
}
