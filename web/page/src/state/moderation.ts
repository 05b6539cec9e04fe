import { signal, type ReadonlySignal } from "@preact/signals";
import type { Channel, ParleyError, Sanctioned } from "@parley-chat/sdk";
import type { Changes } from "./changes.ts";

/** How long somebody is shown as typing, how often one says so, and the pause where it does not work. */
const SHOWN = 6_000;
const EVERY = 3_000;
const PAUSE = 60_000;
/** How long it is shown what a moderator did. */
const TOLD = 8_000;
/** The most that a timer takes, in milliseconds. */
export const LONGEST = 2 ** 31 - 1;
/** Messages among which one's own newest is looked for. */
const RECENT = 300;

/** What binds the user in a channel, what moderators do there, and who is typing. */
export class Moderation {
  /** What keeps the user from writing. */
  readonly silence = signal<"mute" | "frozen" | undefined>(undefined);
  /** Seconds until the user may write again in slow mode. */
  readonly left = signal(0);
  /** Who is typing. */
  readonly typing = signal<readonly string[]>([]);
  /** The user whom a moderator is about to deal with. */
  readonly subject = signal<string | undefined>(undefined);
  /** What a moderator has just done. */
  readonly told = signal<Sanctioned | undefined>(undefined);

  readonly #channel: Channel;
  readonly #user: ReadonlySignal<string>;
  readonly #changes: Changes;
  readonly #typing = new Map<string, number>();
  #timer = 0;
  #telling = 0;
  /** When one may say again that one is typing. */
  #quiet = 0;
  /** By how much the clock here is ahead of the server's. */
  #ahead = 0;

  constructor(channel: Channel, user: ReadonlySignal<string>, changes: Changes) {
    this.#channel = channel;
    this.#user = user;
    this.#changes = changes;
    channel.on("signal", ({ name, user }) => {
      if (name === "typing") this.#types(user, true);
    });
    channel.on("message", ({ user, time }) => {
      this.#types(user, false);
      if (user === this.#user.value && channel.state === "joined") this.#ahead = Date.now() - time;
    });
    channel.on("sanctioned", (told) => {
      if (told.user === this.#user.value) return; // that is said where one would write
      this.told.value = told;
      clearTimeout(this.#telling);
      this.#telling = window.setTimeout(() => (this.told.value = undefined), TOLD);
    });
  }

  /** Looks again at what binds the user, whenever something has changed, and in time. */
  update(): void {
    clearTimeout(this.#timer);
    const { sanction, settings } = this.#channel;
    const moderates = this.#changes.moderates.value;
    if (settings.frozen || settings.slow > 0) this.#changes.ask();
    const lasts = sanction && (sanction.until ?? Infinity) - Date.now();
    const muted = lasts !== undefined && lasts > 0;
    const left = moderates || settings.slow === 0 ? 0 : this.#left();
    this.silence.value = muted ? "mute" : settings.frozen && !moderates ? "frozen" : undefined;
    this.left.value = left;
    const wait = left > 0 ? 250 : muted ? Math.min(lasts, LONGEST) : 0;
    if (wait > 0) this.#timer = window.setTimeout(() => this.update(), wait);
  }

  /** Waits for nothing any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Does something, and says where it did not work. */
  act(done: Promise<unknown>): void {
    done.catch((error: ParleyError) => (this.#changes.error.value = error));
  }

  /** The user is typing something for everybody. */
  typed(): void {
    const now = performance.now();
    if (now < this.#quiet || this.#channel.forbidden.has("signal")) return;
    this.#quiet = now + EVERY;
    this.#channel.signal("typing").catch(() => (this.#quiet = now + PAUSE));
  }

  /** What was typed is sent: the next of it is said at once. */
  sent(): void {
    this.#quiet = Math.min(this.#quiet, performance.now());
  }

  /** Seconds until the server takes another message, as far as that is known. */
  #left(): number {
    const { messages, outbox, settings } = this.#channel;
    if (outbox.some(({ status }) => status !== "failed")) return settings.slow;
    const me = this.#user.value;
    const own = messages.slice(-RECENT).reverse().find(({ user }) => user === me);
    // Those from before it was set do not count.
    if (!own || own.seq < (settings.seq ?? 0)) return 0;
    const past = (Date.now() - this.#ahead - own.time) / 1000;
    return Math.min(settings.slow, Math.max(0, Math.ceil(settings.slow - past)));
  }

  #types(user: string, on: boolean): void {
    clearTimeout(this.#typing.get(user));
    const known = this.#typing.delete(user);
    if (on) this.#typing.set(user, window.setTimeout(() => this.#types(user, false), SHOWN));
    if (on || known) this.typing.value = [...this.#typing.keys()];
  }
}
