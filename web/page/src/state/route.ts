/** The channel that an address names after the hash: `#/lobby`. */
export function channelOf(hash: string): string | undefined {
  if (!hash.startsWith("#/")) return undefined;
  try {
    return decodeURIComponent(hash.slice(2)) || undefined;
  } catch {
    return undefined; // not a valid escape: treated as no channel
  }
}

/** The address of a channel, to be shared. */
export function hashOf(channel: string): string {
  // Half of a surrogate pair cannot be encoded; such a name is refused by the server.
  const encodable = channel.replace(/\p{Surrogate}/gu, "\ufffd");
  return "#/" + encodeURIComponent(encodable).replaceAll("%2F", "/");
}
