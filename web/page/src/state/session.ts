import { isString } from "./storage.ts";

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
