import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { Message } from "@parley-chat/sdk";
import { keyOf } from "./rows.ts";
import { isString } from "./storage.ts";

/** Whose conversation: that of everybody, or, for their name, that with one user alone. */
export type Peer = string | undefined;

/** The conversation that a message is part of. */
export function peerOf({ user, to }: { user: string; to?: string }, me: string): Peer {
  return to === undefined ? undefined : user === me ? to : user;
}

/** A place in the list: a message, and how many pixels below the top it is. */
export interface Anchor {
  key: string;
  below: number;
}

/** What has not been read in a conversation. */
export interface Unread {
  count: number;
  /** How many of these mention the user. */
  mentions: number;
  /** There are more, which nobody has counted. */
  more: boolean;
  /** The seq of the first one. */
  first: number;
}

const NONE: Unread = { count: 0, mentions: 0, more: false, first: 0 };

/** Conversations of one channel that are remembered; the oldest are forgotten beyond it. */
const MAX_PEERS = 50;

/** What the browser keeps of it. */
export interface SavedReading {
  epoch: string;
  /** The newest seq that was looked at, be it read or counted. */
  known: number;
  unread: [peer: string | null, unread: Unread][];
  peers: string[];
  /** Conversations that were closed, and the newest seq at that time. */
  closed: [peer: string, seq: number][];
}

export function isSavedReading(value: unknown): value is SavedReading {
  const { epoch, known, unread, peers, closed } = (value ?? {}) as Partial<SavedReading>;
  const pairs = (list: unknown, is: (a: unknown, b: unknown) => boolean) =>
    Array.isArray(list) && list.every((pair) => Array.isArray(pair) && is(pair[0], pair[1]));
  return (
    isString(epoch) &&
    Number.isSafeInteger(known) &&
    Array.isArray(peers) &&
    peers.every(isString) &&
    pairs(closed, (peer, seq) => isString(peer) && Number.isSafeInteger(seq)) &&
    pairs(unread, (peer, value) => (peer === null || isString(peer)) && isUnread(value))
  );
}

function isUnread(value: unknown): boolean {
  const { count, mentions, first, more } = (value ?? {}) as Partial<Unread>;
  return [count, mentions, first].every(Number.isSafeInteger) && typeof more === "boolean";
}

/** The conversations of one channel, what is unread in them, and where that begins. */
export class Reading {
  /** Those with whom there is a private conversation, in the order they came up. */
  readonly peers: ReadonlySignal<readonly string[]>;
  /** How many messages are unread in all of them. */
  readonly total: ReadonlySignal<number>;
  /** Where one was in each when one turned to another; undefined at the end. */
  readonly anchors = new Map<Peer, Anchor | undefined>();
  readonly #peers = signal<readonly string[]>([]);
  readonly #unread = signal<ReadonlyMap<Peer, Unread>>(new Map());
  readonly #markers = signal<ReadonlyMap<Peer, string>>(new Map());
  readonly #closed = new Map<string, number>();
  #epoch = "";
  #known = 0;
  /** What of the messages held was searched for conversations. */
  #searched: { first: string; last: string } | undefined;

  constructor() {
    this.peers = computed(() => this.#peers.value);
    this.total = computed(() => [...this.#unread.value.values()].reduce((n, { count }) => n + count, 0));
  }

  /** What is unread in a conversation. */
  of(peer: Peer): Unread {
    return this.#unread.value.get(peer) ?? NONE;
  }

  /** The key of the message above which "new messages" is shown. */
  marker(peer: Peer): string | undefined {
    return this.#markers.value.get(peer);
  }

  /** A message of somebody else came. */
  arrived(message: Message, peer: Peer, mentioned: boolean, watched: boolean): void {
    this.#epoch = message.epoch;
    this.#known = Math.max(this.#known, message.seq);
    if (peer !== undefined) this.add(peer);
    if (watched) return;
    const before = this.of(peer);
    if (before.count === 0) this.mark(peer, keyOf(message));
    this.#set(peer, {
      count: before.count + 1,
      mentions: before.mentions + (mentioned ? 1 : 0),
      more: before.more,
      first: before.count === 0 ? message.seq : before.first,
    });
  }

  /** All of a conversation has been read. */
  seen(peer: Peer): void {
    if (this.#unread.value.has(peer)) this.#set(peer, NONE);
  }

  /** Where the new messages began does not matter any more. */
  unmark(peer: Peer): void {
    if (this.#markers.value.has(peer)) this.mark(peer, undefined);
  }

  /** There is a conversation with a user. */
  add(peer: string): void {
    this.#closed.delete(peer);
    if (this.#peers.value.includes(peer)) return;
    this.#peers.value = [...this.#peers.value, peer].slice(-MAX_PEERS);
  }

  /** Lists a conversation no longer, until something new is said in it. */
  close(peer: string, newest: number): void {
    this.#peers.value = this.#peers.value.filter((other) => other !== peer);
    this.#closed.set(peer, newest);
    this.seen(peer);
    this.unmark(peer);
  }

  /** Finds the conversations among the messages held, which grow at both ends. */
  search(messages: readonly Message[], me: string): void {
    const [oldest, newest] = [messages[0], messages.at(-1)];
    if (!oldest || !newest) return;
    const [first, last] = [keyOf(oldest), keyOf(newest)];
    const before = this.#searched;
    if (before?.first === first && before.last === last) return;
    this.#searched = { first, last };
    for (let i = messages.length - 1; i >= 0; i--) {
      const message = messages[i]!;
      if (before?.first === first && keyOf(message) === before.last) break;
      const peer = peerOf(message, me);
      if (peer === undefined || message.seq <= (this.#closed.get(peer) ?? 0)) continue;
      this.add(peer);
    }
    this.#epoch = newest.epoch;
    this.#known = Math.max(this.#known, newest.seq);
  }

  /** The log began again. */
  reset(): void {
    this.#unread.value = new Map();
    this.#markers.value = new Map();
    this.#closed.clear();
    this.#searched = undefined;
    this.#known = 0;
  }

  /** What is to be kept, or undefined when there is nothing. */
  save(): SavedReading | undefined {
    if (this.#epoch === "") return undefined;
    return {
      epoch: this.#epoch,
      known: this.#known,
      unread: [...this.#unread.value].map(([peer, unread]) => [peer ?? null, unread]),
      peers: [...this.#peers.value],
      closed: [...this.#closed].slice(-MAX_PEERS),
    };
  }

  /**
   * Takes up what was kept, and counts what came since: `messages` are those
   * that the first join brought.
   */
  restore(
    saved: SavedReading,
    messages: readonly Message[],
    me: string,
    mentions: (message: Message) => boolean,
  ): void {
    for (const peer of saved.peers) this.add(peer);
    const oldest = messages[0];
    if (!oldest || oldest.epoch !== saved.epoch) return;
    for (const [peer, seq] of saved.closed) this.#closed.set(peer, seq);
    for (const [peer, unread] of saved.unread) {
      this.#set(peer ?? undefined, unread);
      this.mark(peer ?? undefined, `${saved.epoch}/${unread.first}`);
    }
    for (const message of messages) {
      if (message.seq <= saved.known || message.user === me || message.deleted) continue;
      this.arrived(message, peerOf(message, me), mentions(message), false);
    }
    // What came before those held was not counted; it began after what was known.
    const main = this.of(undefined);
    if (oldest.seq <= saved.known + 1 || main.count === 0) return;
    const had = saved.unread.some(([peer]) => peer === null);
    const first = had ? main.first : saved.known + 1;
    this.#set(undefined, { ...main, first, more: true });
    this.mark(undefined, `${saved.epoch}/${first}`);
  }

  #set(peer: Peer, unread: Unread): void {
    const all = new Map(this.#unread.value);
    if (unread.count === 0) all.delete(peer);
    else all.set(peer, unread);
    this.#unread.value = all;
  }

  /** Has "new messages" shown above a message. */
  mark(peer: Peer, key: string | undefined): void {
    const all = new Map(this.#markers.value);
    if (key === undefined) all.delete(peer);
    else all.set(peer, key);
    this.#markers.value = all;
  }
}
