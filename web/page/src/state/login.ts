import { signal } from "@preact/signals";
import { Client, ErrorCode, ParleyError, UnauthorizedError } from "@parley-chat/sdk";

/** Where one logs in, once the site has said it. */
export const loginUrl = signal<string | undefined>(undefined);

/** The site has nothing at the address: it does not issue tokens. */
export class NoEndpoint extends Error {}

/** How long the server may take to say whether it wants a token. */
const ANSWER_WITHIN = 4_000;

/** The page's own address, to which all others are relative. */
export function address(path: string): string {
  return new URL(path, location.href.replace(/[?#].*/, "")).href;
}

/** Asks the server whether it lets nobody in without a token. */
export async function wantsToken(): Promise<boolean> {
  const client = new Client({ url: address("ws"), client: "parley-page" });
  try {
    await client.connect({ timeout: ANSWER_WITHIN });
    return false;
  } catch (error) {
    return error instanceof ParleyError && error.code === ErrorCode.Unauthenticated;
  } finally {
    client.close();
  }
}

/** The token of whoever is logged in on this site. */
export async function fetchToken(): Promise<string> {
  const response = await post("auth/token", {});
  if (response.status === 401) {
    loginUrl.value = link(((await response.json().catch(() => null)) ?? {}).login);
    throw new UnauthorizedError("not logged in");
  }
  return tokenIn(response);
}

/** A token for one channel. */
export async function fetchChannelToken(channel: string): Promise<string> {
  const response = await post("auth/channel-token", { channel });
  if (response.status < 500 && response.status !== 429 && !response.ok) {
    throw new UnauthorizedError("no token for this channel");
  }
  return tokenIn(response);
}

/** Ends the session on this site, and learns where one logs in again. */
export async function logOut(): Promise<void> {
  try {
    await post("auth/logout", {});
    await fetchToken();
  } catch {
    // As expected; or the site is away, and one is still logged in there.
  }
}

function post(path: string, body: object): Promise<Response> {
  return fetch(address(path), {
    method: "POST",
    credentials: "same-origin",
    cache: "no-store",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

async function tokenIn(response: Response): Promise<string> {
  if (response.status === 404 || response.status === 405) throw new NoEndpoint();
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const { token } = await response.json();
  if (typeof token !== "string" || token === "") throw new Error("no token in the answer");
  return token;
}

/** Why the server lets nobody in, where that is about a name or a token. */
export function refusalOf(error: ParleyError | undefined): "unauthenticated" | "badName" | undefined {
  switch (error?.code) {
    case ErrorCode.Unauthenticated:
    case 3500: // the connection's own code for it
      return "unauthenticated";
    case ErrorCode.InvalidParams:
      return "badName";
  }
  return undefined;
}

/** An address that a link may have: no script. */
function link(login: unknown): string | undefined {
  try {
    const url = new URL(String(login), address(""));
    return typeof login === "string" && /^https?:$/.test(url.protocol) ? url.href : undefined;
  } catch {
    return undefined;
  }
}
