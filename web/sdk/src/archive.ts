import { backoff } from "./backoff.js";
import { isTransient, ParleyError } from "./errors.js";
import type { Position } from "./outbox.js";
import type { HistoryQuery, HistoryResult, Told, WireMessage } from "./protocol.js";

/** The largest page of history. */
export const PAGE = 300;
/** How often a page is asked for again while history is out for a moment. */
const ATTEMPTS = 4;

export interface Page extends Told {
  /** Nothing follows this page. */
  end: boolean;
}

/**
 * Pages forwards from a position, at most `most` messages and changes. Rejects when a page
 * cannot be read after a few attempts; ends early when `alive` says no.
 */
export async function* pagesAfter(
  ask: (query: HistoryQuery) => Promise<HistoryResult>,
  from: Position,
  most: number,
  alive: () => boolean,
): AsyncGenerator<Page, void, void> {
  let after = from.seq;
  for (let left = most; left > 0 && alive(); ) {
    const query = { after, epoch: from.epoch, limit: Math.min(PAGE, left) };
    const page = await patiently(() => ask(query), alive);
    const next = reachedBy(page, after);
    const end = !page.more || next <= after;
    yield { ...page, end };
    if (end) return;
    after = next;
    // Large messages make few of them.
    left -= page.messages.length + (page.changes?.length ?? 0) + (page.reacted?.length ?? 0);
  }
}

/** The position up to which a page that begins after another one goes. */
export function reachedBy({ seq, messages }: Told, after: number): number {
  return seq ?? messages.at(-1)?.seq ?? after;
}

/** The first message in pages that is looked for. */
export async function find(
  pages: AsyncIterable<Page>,
  wanted: (message: WireMessage) => boolean,
): Promise<WireMessage | undefined> {
  for await (const { messages } of pages) {
    const found = messages.find(wanted);
    if (found) return found;
  }
  return undefined;
}

/** Asks again while history is out for a moment. */
export async function patiently<T>(ask: () => Promise<T>, alive: () => boolean): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      const passing = error instanceof ParleyError && isTransient(error);
      if (!passing || attempt === ATTEMPTS || !alive()) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.retry ?? backoff(attempt)));
    }
  }
}
