import { isString, kept, path, tab } from "./storage.ts";

/** Who signs in. With a token the user is the one that it names, and may be "". */
export interface Credentials {
  user: string;
  token?: string;
  /** Whoever is logged in on this site, which issues the tokens. */
  login?: true;
}

/** What the tab keeps of who is signed in, and of what is open. */
export interface Session extends Credentials {
  channels: string[];
  /** Who that is, once the server has confirmed it. */
  known?: string;
}

export function isSession(value: unknown): value is Session {
  const { user, token, login, known, channels } = (value ?? {}) as Partial<Session>;
  return (
    isString(user) &&
    (login === undefined || login === true) &&
    (token === undefined || isString(token)) &&
    (known === undefined || isString(known)) &&
    Array.isArray(channels) &&
    channels.every(isString)
  );
}

/** Keeps who is signed in: in the tab, and, but for a token, for the next window. */
export function saveSession(session: Session | undefined): void {
  tab.set("session", session);
  kept.set("session", session?.token === undefined && !session?.login ? session : undefined);
}

/** Who was signed in in the last window, where no other window is open. */
export async function lastSession(): Promise<{ alone: boolean; session: Session | undefined }> {
  const alone = await first;
  return { alone, session: alone ? kept.get("session", isSession) : undefined };
}

/**
 * Whether this is the first window of the browser; where nobody can say, another
 * one may be. Whoever is not waits for that place, and keeps it until it is closed.
 */
const first = new Promise<boolean>((resolve) => {
  const { locks } = globalThis.navigator ?? {};
  if (!locks) return resolve(false);
  const take = (options: LockOptions) =>
    locks.request(`parley${path}`, options, (lock) => {
      resolve(lock !== null);
      return lock ? new Promise<void>(() => {}) : void take({});
    });
  take({ ifAvailable: true }).catch(() => resolve(false));
});
