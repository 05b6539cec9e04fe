/** Codes of {@link ParleyError}: the protocol's own, and this library's (negative). */
export const ErrorCode = {
  InvalidRequest: -32600,
  UnknownMethod: -32601,
  InvalidParams: -32602,
  Internal: -32603,
  Unauthenticated: 1001,
  Forbidden: 1002,
  NotJoined: 1003,
  TooManyChannels: 1004,
  RateLimited: 1005,
  TooLarge: 1006,
  /** The log cannot take it now, or it is unknown whether it did. */
  Unavailable: 1007,
  HistoryUnavailable: 1008,
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
} as const;

/** Everything that this library rejects with. */
export class ParleyError extends Error {
  override readonly name = "ParleyError";

  constructor(
    /** One of {@link ErrorCode}, or a close code of the connection. */
    readonly code: number,
    message: string,
    /** What the server sent with the code. */
    readonly data: ErrorData = {},
  ) {
    super(message);
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

export interface ErrorData {
  field?: string;
  reason?: string;
  limit?: number;
  retry?: number;
}

/** Reports whether the same request may succeed when it is repeated later. */
export function isTransient(error: ParleyError): boolean {
  switch (error.code) {
    case ErrorCode.RateLimited:
    case ErrorCode.Unavailable:
    case ErrorCode.HistoryUnavailable:
    case ErrorCode.Disconnected:
    case ErrorCode.Timeout:
      return true;
  }
  return false;
}
