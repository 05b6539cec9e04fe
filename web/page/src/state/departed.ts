import { signal } from "@preact/signals";
import type { Saved } from "@parley-chat/sdk";
import type { ChannelView } from "./view.ts";

/** How long it is offered to come back where nothing would be lost, in milliseconds. */
const UNDO_WITHIN = 10_000;

/** A channel that was left, with what one had not sent in it. */
export interface Departed {
  view: ChannelView;
  /** Where it was in the list of channels. */
  index: number;
  outbox: readonly Saved[];
}

/** The channel that was left last, while that can be taken back. */
export class Departure {
  readonly last = signal<Departed | undefined>(undefined);
  #timer = 0;

  /** For use before the channel is left, by which it gives up what was not sent. */
  begin(view: ChannelView, index: number): void {
    this.forget();
    const { messages, drafts } = view.unsent;
    const outbox = view.channel.outbox.filter(({ status }) => status !== "sent");
    this.last.value = { view, index, outbox: outbox.map((message) => ({ ...message })) };
    // What was written waits for a decision.
    if (messages + drafts > 0) return;
    this.#timer = window.setTimeout(() => this.forget(), UNDO_WITHIN);
  }

  /** What was left last, if it is this channel: one is back in it. */
  take(name: string): Departed | undefined {
    const last = this.last.value;
    if (last?.view.channel.name !== name) return undefined;
    this.forget();
    return last;
  }

  forget(): void {
    clearTimeout(this.#timer);
    this.last.value = undefined;
  }
}
