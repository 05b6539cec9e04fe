import type { Answer } from "./connection.js";
import type { WireMessage } from "./protocol.js";
import { answered, bounded, type WaitOptions } from "./wait.js";

/** What to search for, and where. */
export interface SearchQuery {
  /** 1 to 16 words, all of which a message must have. */
  query: string;
  /** A channel, which need not be joined; absent: all that are. */
  channel?: string;
  /** Only what one user said. */
  user?: string;
  /** Only from this time on, in milliseconds since the Unix epoch. */
  from?: number;
  /** Only up to this time, which is excluded. */
  to?: number;
  /** Goes on where the result before ended. */
  before?: string;
  /** Messages at most, 1 to 100; 20 by default. */
  limit?: number;
}

/** A message that was found, as it is now. */
export interface Found<Data = unknown> extends WireMessage {
  data?: Data;
  /** In which its `seq` counts. */
  epoch: string;
  /** Where the words are: ranges of `body`, as `slice` takes them. */
  highlight: [from: number, to: number][];
}

/** A page of what was found, newest first. */
export interface SearchResult<Data = unknown> {
  /** At most as many as were asked for. */
  messages: Found<Data>[];
  /** There may be older ones: pass `before` on. */
  more: boolean;
  /** To go on with; present with `more`. */
  before?: string;
}

/** @internal */
export function search<Data>(
  request: (params: object, answer: Answer<SearchResult<Data>>) => void,
  { timeout, signal, ...params }: SearchQuery & WaitOptions,
): Promise<SearchResult<Data>> {
  const found = answered<SearchResult<Data>>((answer) => request(params, answer));
  return bounded(found, { timeout, signal }, "no answer to search");
}
