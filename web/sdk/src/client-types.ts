import type { ChannelOptions } from "./channel-types.js";
import type { WebSocketClass } from "./connection.js";
import type { ParleyError } from "./errors.js";

/** Where to connect, and as whom. */
export interface ClientOptions {
  /** The connector: `wss://host/ws`, or `https://host` for short. */
  url: string;
  /** The user's name, where the server does not authenticate. */
  user?: string;
  /** A JWT; a function is taken for `getToken`. */
  token?: string | (() => string | Promise<string>);
  /**
   * Fetches a JWT when one is needed: where there is no `token`, shortly before
   * the one at hand runs out, and when the server does not take it any more.
   * An {@link UnauthorizedError} closes the client; where it fails otherwise it
   * is asked again after a while.
   */
  getToken?: () => string | Promise<string>;
  /**
   * Fetches a channel token when the server refuses a join, and again when that
   * one runs out. An {@link UnauthorizedError} says that there is none: the
   * channel cannot be joined.
   */
  getChannelToken?: (channel: string) => string | Promise<string>;
  /** Names the program in the server's log. */
  client?: string;
  /** The class to connect with, where there is no global one: that of `ws`. */
  WebSocket?: WebSocketClass;
  /** What channels use that do not say otherwise. */
  channels?: ChannelOptions;
  /** Gets a line of text for whatever the connection does; for example `console.debug`. */
  debug?: (line: string) => void;
}

/** What the connection is doing. */
export type ClientState =
  | { readonly status: "idle" }
  | { readonly status: "connecting" }
  | { readonly status: "online" }
  /** Connects again at `retryAt` (ms since the Unix epoch). */
  | { readonly status: "waiting"; readonly retryAt: number; readonly code: number; readonly reason: string }
  /** Does not connect again by itself; `error` says why, unless `close` was called. */
  | { readonly status: "closed"; readonly error?: ParleyError };

/** The events of a {@link Client}, and what each passes to its listeners. */
export type ClientEvents = {
  /** `state` changed. */
  state: ClientState;
  /** The server shuts down in about `after` milliseconds; the client moves by itself. */
  drain: { after: number };
};
