import { isString, tab } from "./storage.ts";

/** Where in the log a message is. */
export interface Spot {
  epoch: string;
  seq: number;
}

/** The address of a message: `#/lobby/01M8…/42`. */
const MESSAGE = /^#\/([^/?]+)\/([^/?]+)\/(\d{1,15})(?:\?|$)/;

/** The channel that an address names after the hash: `#/lobby`. */
export function channelOf(hash: string): string | undefined {
  if (!hash.startsWith("#/")) return undefined;
  const [, channel] = MESSAGE.exec(hash) ?? [];
  if (channel !== undefined) return decoded(channel);
  return decoded(hash.slice(2).replace(/\?.*/, ""));
}

/** The message that an address names. */
export function spotIn(hash: string): Spot | undefined {
  const [, , epoch, seq] = MESSAGE.exec(hash) ?? [];
  const known = epoch && decoded(epoch);
  return known ? { epoch: known, seq: Number(seq) } : undefined;
}

/** What an address names in its channel. */
export interface Wanted {
  /** With whom the conversation is. */
  peer?: string | undefined;
  spot?: Spot | undefined;
}

export function wantedIn(hash: string): Wanted {
  return { peer: peerIn(hash), spot: spotIn(hash) };
}

/** The address that one came with, be it before one logged in somewhere else. */
export function firstHash(): string {
  const { hash } = location;
  return channelOf(hash) === undefined ? (tab.get("wanted", isString) ?? "") : hash;
}

/** The user with whom alone the conversation is that an address names: `#/lobby?to=ada`. */
export function peerIn(hash: string): string | undefined {
  return decoded(/^#\/[^?]*\?to=(.*)$/.exec(hash)?.[1] ?? "");
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text) || undefined;
  } catch {
    return undefined; // not a valid escape: treated as no channel
  }
}

/** The address of a channel, of a private conversation in it, or of a message in either. */
export function hashOf(channel: string, peer?: string, spot?: Spot): string {
  const parts = [channel, ...(spot ? [spot.epoch, `${spot.seq}`] : [])].map(encoded);
  return `#/${parts.join("/")}${peer === undefined ? "" : `?to=${encoded(peer)}`}`;
}

/** Half of a surrogate pair cannot be encoded; such a name is refused by the server. */
function encoded(name: string): string {
  return encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\ufffd"));
}
