/** The channel that an address names after the hash: `#/lobby`. */
export function channelOf(hash: string): string | undefined {
  if (!hash.startsWith("#/")) return undefined;
  return decoded(hash.slice(2).replace(/\?.*/, ""));
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

/** The address of a channel, to be shared, or that of a private conversation in it. */
export function hashOf(channel: string, peer?: string): string {
  return "#/" + encoded(channel).replaceAll("%2F", "/") + (peer === undefined ? "" : `?to=${encoded(peer)}`);
}

/** Half of a surrogate pair cannot be encoded; such a name is refused by the server. */
function encoded(name: string): string {
  return encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\ufffd"));
}
