import { signal, type ReadonlySignal } from "@preact/signals";
import type { Channel } from "@parley-chat/sdk";
import type { Changes } from "./changes.ts";
import { peerOf, type Peer, type Reading, type Unread } from "./reading.ts";
import { keyOf } from "./rows.ts";

/** What was unread in a conversation when it was opened, until one has seen where that begins. */
export class News {
  readonly unread = signal<Unread | undefined>(undefined);

  constructor(
    private readonly channel: Channel,
    private readonly changes: Changes,
    private readonly reading: Reading,
    private readonly user: ReadonlySignal<string>,
    private readonly peer: ReadonlySignal<Peer>,
  ) {}

  /** The conversation was opened. */
  opened(): void {
    const unread = this.reading.of(this.peer.value);
    if (unread.count > 0) this.unread.value = unread;
  }

  dismiss(): void {
    this.unread.value = undefined;
  }

  /** Shows the first message that was unread. */
  async go(): Promise<void> {
    const peer = this.peer.value;
    const first = this.unread.value?.first ?? 0;
    this.dismiss();
    await this.changes.jump(first);
    const me = this.user.value;
    // That one may have been part of another conversation.
    const message = this.channel.messages.find((m) => m.seq >= first && peerOf(m, me) === peer);
    if (!message || peer !== this.peer.value) return;
    this.reading.mark(peer, keyOf(message));
    this.changes.target.value = { seq: message.seq };
  }
}
