import { signal, type ReadonlySignal } from "@preact/signals";
import { ErrorCode, type Channel, type ParleyError, type Sanctioned } from "@parley-chat/sdk";
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
  readonly subject = signal<{ user: string } | undefined>(undefined);
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
  /** By how much the clock here is ahead of the server's, at most. */
  #ahead: number | undefined;
  /** The seconds of slow mode, and the seq from which on it counts messages. */
  #slow = 0;
  #from = 0;

  constructor(channel: Channel, user: ReadonlySignal<string>, changes: Changes) {
    this.#channel = channel;
    this.#user = user;
    this.#changes = changes;
    channel.on("signal", ({ name, user }) => {
      if (name === "typing") this.#types(user, true);
    });
    channel.on("message", ({ user, time }) => {
      this.#types(user, false);
      this.#tells(time);
    });
    channel.on("left", ({ user }) => this.#types(user, false));
    channel.on("settings", ({ slow, seq = 0 }) => {
      if (slow !== this.#slow) this.#from = seq;
      this.#slow = slow;
    });
    channel.on("reset", () => (this.#slow = 0));
    channel.on("sanctioned", (told) => {
      this.#tells(told.time);
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
    const lasts = sanction && this.until(sanction.until);
    const muted = lasts !== undefined && lasts > 0;
    const left = moderates || settings.slow === 0 ? 0 : this.#left();
    this.silence.value = muted ? "mute" : settings.frozen && !moderates ? "frozen" : undefined;
    this.left.value = left;
    const wait = left > 0 ? 250 : muted ? Math.min(lasts, LONGEST) : 0;
    if (wait > 0) this.#timer = window.setTimeout(() => this.update(), wait);
  }

  /** Milliseconds until a time of the server's clock; the one here may be wrong. */
  until(time = Infinity): number {
    return time - Date.now() + (this.#ahead ?? 0);
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
    this.#channel.signal("typing").catch(({ code }: ParleyError) => {
      // A connection that was lost is another one soon.
      if (code !== ErrorCode.Disconnected) this.#quiet = now + PAUSE;
    });
  }

  /** What was typed is sent: the next of it is said at once. */
  sent(): void {
    const now = performance.now();
    // Where it does not work, it does not now.
    if (this.#quiet <= now + EVERY) this.#quiet = now;
  }

  /** Seconds until the server takes another message, as far as that is known. */
  #left(): number {
    const { messages, outbox, settings } = this.#channel;
    if (outbox.some(({ status }) => status !== "failed")) return settings.slow;
    const me = this.#user.value;
    const own = messages.slice(-RECENT).reverse().find(({ user }) => user === me);
    // Those from before it was set do not count.
    if (!own || own.seq < this.#from) return 0;
    const left = settings.slow + this.until(own.time) / 1000;
    return Math.min(settings.slow, Math.max(0, Math.ceil(left)));
  }

  /** The server's clock shows a time now. */
  #tells(time: number): void {
    // One that took its time says too much.
    const ahead = Math.min(this.#ahead ?? Infinity, Date.now() - time);
    if (this.#channel.state === "joined") this.#ahead = ahead;
  }

  #types(user: string, on: boolean): void {
    clearTimeout(this.#typing.get(user));
    const known = this.#typing.delete(user);
    if (on) this.#typing.set(user, window.setTimeout(() => this.#types(user, false), SHOWN));
    if (on || known) this.typing.value = [...this.#typing.keys()];
  }
}
