/** Codes of {@link ParleyError}: the protocol's own, and this library's (negative). */
export const ErrorCode = {
  /** The frame is not a request. */
  InvalidRequest: -32600,
  /** The server has no such method; of a change: it cannot change messages yet. */
  UnknownMethod: -32601,
  /** `data.field` and `data.reason` say which parameter is wrong, and why. */
  InvalidParams: -32602,
  /** The server failed; its log says why. */
  Internal: -32603,
  /** The token was not accepted. */
  Unauthenticated: 1001,
  /**
   * The user may not do this: `data.action` in `data.channel`; with `data.reason` `age`
   * the message is too old for its author to change. Else `data.reason` says what is
   * wrong with a channel token.
   */
  Forbidden: 1002,
  /** The session is not in the channel. */
  NotJoined: 1003,
  /** The session is in as many channels as it may be (`data.limit`). */
  TooManyChannels: 1004,
  /** Too fast; nothing was stored. */
  RateLimited: 1005,
  /** The body, or `data`, has more bytes than `data.limit`. */
  TooLarge: 1006,
  /** The log cannot take it now, or it is unknown whether it did. */
  Unavailable: 1007,
  /** History cannot be read now. */
  HistoryUnavailable: 1008,
  /**
   * The user is banned (`data.action` is `ban`) or muted (`mute`), until `data.until`,
   * for `data.reason`; or the channel is frozen (`frozen`). Of a client: barred.
   */
  Sanctioned: 1009,
  /** The message is not there, is deleted, or may not be seen by the user. */
  Gone: 1010,
  /** A message has as many edits or reactions, a channel as many sanctions (`data.limit`), as it takes. */
  Full: 1011,
  /** The connection ended before the answer came. */
  Disconnected: -1,
  /** No answer in time on a connection that is otherwise alive, or the caller's own timeout. */
  Timeout: -2,
  /** Sent long ago, never acknowledged, and not in the history. */
  Lost: -3,
  /** The client or the channel was closed by the application. */
  Closed: -4,
  /** More unacknowledged messages than the client keeps. */
  OutboxFull: -5,
  /** The WebSocket does not take the address: its scheme, or ws: on a page of https:. */
  BadAddress: -6,
  /** `getToken` failed, and is asked again. */
  NoToken: -7,
  /** `getToken` threw an {@link UnauthorizedError}. */
  LoggedOut: -8,
  /** The fresh token is another user's: that takes another client. */
  OtherUser: -9,
} as const;

/** Everything that this library rejects with. */
export class ParleyError extends Error {
  /** Tells it from other errors, also across copies of this library. */
  override readonly name = "ParleyError";

  constructor(
    /** One of {@link ErrorCode}, or a close code of the connection. */
    readonly code: number,
    message: string,
    /** What the server sent with the code. */
    readonly data: ErrorData = {},
    /** With the `cause`: what a program of yours threw, or the error before this one. */
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** What the server says of it, or what prevented what was waited for; for programs and logs. */
  get reason(): string | undefined {
    return this.data.reason;
  }

  /** Milliseconds after which the server suggests to try again. */
  get retry(): number | undefined {
    const { retry } = this.data;
    // Timers treat what is longer, or not a number, as 0.
    return typeof retry === "number" && retry >= 0 ? Math.min(retry, 2 ** 31 - 1) : undefined;
  }

  /** What JSON keeps of it, so that a saved outbox knows why a message failed. */
  toJSON(): { code: number; message: string; data: ErrorData } {
    return { code: this.code, message: this.message, data: this.data };
  }
}

/**
 * For `getToken` and `getChannelToken` to throw where there is no token to be
 * had, and asking again would not help: nobody is logged in, or the channel is
 * not theirs.
 */
export class UnauthorizedError extends Error {
  /** Tells it from other errors, also across copies of this library. */
  override readonly name = "UnauthorizedError";
}

/** Reports whether an application says that there is no token to be had. */
export function isUnauthorized(error: unknown): error is Error {
  return error instanceof Error && error.name === "UnauthorizedError";
}

/** What the server adds to an error; which fields depends on the code. */
export interface ErrorData {
  /** The action that is not granted, or what an administrator did. */
  action?: string;
  /** The channel in which it is not. */
  channel?: string;
  /** The parameter that is wrong. */
  field?: string;
  /**
   * What is wrong with it, or with a channel token; why the user is out, muted or barred; or
   * what prevented what was waited for.
   */
  reason?: string;
  /** When a sanction ends, in milliseconds since the Unix epoch; absent: never by itself. */
  until?: number;
  /** The limit that was exceeded. */
  limit?: number;
  /** Milliseconds after which to try again. */
  retry?: number;
}

/** Reports whether the same request may succeed when it is repeated later. */
export function isTransient({ code, data }: ParleyError): boolean {
  // The key of a channel token is not known yet.
  if (code === ErrorCode.Forbidden) return data.reason === "retry";
  return passing.includes(code);
}

const passing: readonly number[] = [
  ErrorCode.RateLimited,
  ErrorCode.Unavailable,
  ErrorCode.HistoryUnavailable,
  ErrorCode.Disconnected,
  ErrorCode.Timeout,
];

/** The client of one user gets a token of another. */
export function otherUser(): ParleyError {
  return new ParleyError(ErrorCode.OtherUser, "the fresh token is another user's");
}
