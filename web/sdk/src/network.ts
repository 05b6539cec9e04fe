/** An address for people to read, without what may be secret in it. */
export function shown(address: string): string {
  const url = new URL(address);
  url.username = url.password = url.search = "";
  return url.href;
}

/** Accepts the address of the server for that of its socket. */
export function endpoint(address: string): string {
  const url = new URL(address);
  url.protocol = url.protocol.replace(/^http/, "ws");
  if (url.pathname.endsWith("/")) url.pathname += "ws";
  url.hash = "";
  return url.href;
}

/** Reports whether a close code asks for a reconnect, or is a plain cut. */
export function mayReconnect(code: number): boolean {
  // Binary frames, bad UTF-8, frames too large: they would be sent again.
  return code < 3500 && code !== 1003 && code !== 1007 && code !== 1009;
}

/** Calls back when a browser is online again or the page is looked at again. */
export function watchNetwork(wake: () => void): () => void {
  if (typeof document === "undefined") return () => {};
  const visible = () => {
    if (document.visibilityState === "visible") wake();
  };
  const watching = new AbortController();
  addEventListener("online", wake, watching);
  document.addEventListener("visibilitychange", visible, watching);
  return () => watching.abort();
}
