import { signal, type ReadonlySignal } from "@preact/signals";
import { ErrorCode, ParleyError, type Channel, type Message } from "@parley-chat/sdk";
import { copy } from "./clipboard.ts";
import type { Spot } from "./route.ts";
import { keyOf } from "./rows.ts";

/** How long a deletion can be taken back, in milliseconds. */
const UNDO_WITHIN = 5_000;
/** How long a reaction is shown as it was asked for after it was acknowledged. */
const SETTLES_WITHIN = 1_500;

/** How long it is said that something was copied, in milliseconds. */
const COPIED_FOR = 3_000;

/** A reaction as one has just asked for it, with what is shown until the server tells the count. */
interface Wish {
  on: boolean;
  /** What the server sent before. */
  was: number;
}

/** What one is doing to the messages of a channel. */
export class Changes {
  /** The message whose text is in the field to write in, and that text. */
  readonly editing = signal<Message | undefined>(undefined);
  readonly text = signal("");
  /** The message that the next one answers. */
  readonly replying = signal<Message | undefined>(undefined);
  /** Keys of the messages that are deleted unless one takes that back. */
  readonly deleting = signal<ReadonlySet<string>>(new Set());
  /** Why the last change was not made. */
  readonly error = signal<ParleyError | undefined>(undefined);
  /** Whether something was copied just now. */
  readonly copied = signal(false);
  /** Whether one may change the messages of others; false until that is known. */
  readonly moderates = signal(false);
  /** The seqs of the pinned messages. */
  readonly pins = signal<readonly number[]>([]);
  /** The message that is looked for; another object each time. */
  readonly target = signal<{ seq: number } | undefined>(undefined);
  /** The message that is to be shown, until it can be. */
  readonly looking = signal<Spot | undefined>(undefined);

  readonly #channel: Channel;
  readonly #user: ReadonlySignal<string>;
  /** Has the list show at once what was loaded. */
  readonly #show: () => void;
  readonly #timers = new Map<string, { timer: number; message: Message }>();
  readonly #wishes = signal<ReadonlyMap<string, Wish>>(new Map());
  readonly #quotes = signal<ReadonlyMap<number, Message | undefined>>(new Map());
  readonly #reading = new Set<number>();
  /** The message to be shown that was not asked for yet. */
  #spot: Spot | undefined;
  #asked = false;
  #saying = 0;

  constructor(channel: Channel, user: ReadonlySignal<string>, show: () => void) {
    this.#channel = channel;
    this.#user = user;
    this.#show = show;
    this.pins.value = channel.settings.pins;
    channel.on("settings", ({ pins }) => (this.pins.value = pins));
    channel.on("change", () => this.#look());
    channel.on("changed", (message) => this.#changed(message));
    channel.on("reset", () => {
      this.cancel();
      this.#quotes.value = new Map();
    });
  }

  /** Whether a message may be edited or deleted by the user, as far as that is known. */
  may(message: Message): boolean {
    const own = message.user === this.#user.value && !this.#channel.forbidden.has("edit");
    return this.possible(message) && (own || this.moderates.value);
  }

  /** Whether anything can be done to a message. */
  possible(message: Message): boolean {
    const current = this.#channel.messages[this.#channel.messages.length - 1]?.epoch;
    const { changeable, state } = this.#channel;
    return changeable && state !== "failed" && !message.deleted && message.epoch === current;
  }

  /** Asks once whether the user is a moderator: of what cannot be there only these hear that. */
  ask(): void {
    if (this.#asked || !this.#channel.changeable) return;
    this.#asked = true;
    this.#channel.pin({ seq: 1, epoch: "none" }).catch(({ code }: ParleyError) => {
      this.moderates.value = code === ErrorCode.Gone;
      if (code !== ErrorCode.Gone && code !== ErrorCode.Forbidden) this.#asked = false;
    });
  }

  /** Puts a message's text into the field to write in. */
  edit(message: Message): void {
    this.replying.value = undefined;
    this.editing.value = message;
    this.text.value = message.body;
  }

  /** The newest of one's own messages that can be edited goes into the field. */
  editNewest(to: string | undefined): void {
    const { messages } = this.#channel;
    const own = ({ user }: Message) => user === this.#user.value;
    const newest = [...messages].reverse().find((m) => own(m) && m.to === to && this.may(m));
    if (newest) this.edit(newest);
  }

  /** Has the next message answer this one. */
  reply(message: Message): void {
    this.editing.value = undefined;
    this.replying.value = message;
  }

  /** Copies a text, and says for a while that it did. */
  async copy(text: string): Promise<void> {
    clearTimeout(this.#saying);
    this.copied.value = await copy(text);
    this.#saying = window.setTimeout(() => (this.copied.value = false), COPIED_FOR);
  }

  /** Neither edits nor answers a message any more. */
  cancel(): void {
    this.editing.value = undefined;
    this.replying.value = undefined;
  }

  /** Publishes the edited text. */
  save(): void {
    const message = this.editing.value;
    const body = this.text.value;
    this.editing.value = undefined;
    if (!message || body.trim() === "" || body === message.body) return;
    this.#channel.edit(message, body).catch((error: ParleyError) => {
      this.error.value = error;
      // What was written is not lost.
      if (error.code !== ErrorCode.Closed && !this.editing.value) {
        this.edit(message);
        this.text.value = body;
      }
    });
  }

  /** Deletes a message in a moment. */
  delete(message: Message): void {
    const key = keyOf(message);
    if (this.#timers.has(key)) return;
    if (this.editing.value && keyOf(this.editing.value) === key) this.cancel();
    const timer = window.setTimeout(() => this.#delete(key), UNDO_WITHIN);
    this.#timers.set(key, { timer, message });
    this.deleting.value = new Set(this.#timers.keys());
  }

  /** Takes that back. */
  undo(message: Message): void {
    this.#forget(keyOf(message));
  }

  /** The page goes away: what is to be deleted is deleted now. */
  flush(): void {
    for (const key of [...this.#timers.keys()]) this.#delete(key);
  }

  #delete(key: string): void {
    const { message } = this.#timers.get(key)!;
    const done = this.#channel.delete(message);
    done.catch((error: ParleyError) => {
      if (error.code !== ErrorCode.Gone) this.error.value = error; // it is deleted, after all
    });
    // It stays hidden until the push says so.
    void done.finally(() => window.setTimeout(() => this.#forget(key), SETTLES_WITHIN)).catch(() => {});
  }

  #forget(key: string): void {
    clearTimeout(this.#timers.get(key)?.timer);
    if (this.#timers.delete(key)) this.deleting.value = new Set(this.#timers.keys());
  }

  /** Whether the user reacts with a name, and how many do; as asked for just now. */
  reaction(message: Message, name: string): { on: boolean; count: number } {
    const on = message.mine?.includes(name) ?? false;
    const count = message.reactions?.find((reaction) => reaction.name === name)?.count ?? 0;
    const wish = this.#wishes.value.get(wishKey(message, name));
    if (!wish || wish.was !== count) return { on, count };
    return { on: wish.on, count: Math.max(0, count + (wish.on ? 1 : -1)) };
  }

  /** Names that one has just reacted with first. */
  fresh(message: Message): string[] {
    const prefix = wishKey(message, "");
    const keys = [...this.#wishes.value.keys()].filter((key) => key.startsWith(prefix));
    const names = keys.map((key) => key.slice(prefix.length));
    return names.filter((name) => !message.reactions?.some((reaction) => reaction.name === name));
  }

  /** Reacts with a name, or takes that back. */
  react(message: Message, name: string): void {
    const key = wishKey(message, name);
    const was = message.reactions?.find((reaction) => reaction.name === name)?.count ?? 0;
    const on = !this.reaction(message, name).on;
    const real = message.mine?.includes(name) ?? false;
    this.#wish(key, on === real ? undefined : { on, was });
    const done = this.#channel.react(message, name, on ? {} : { remove: true });
    done.then(
      () => window.setTimeout(() => this.#wish(key, undefined), SETTLES_WITHIN),
      (error: ParleyError) => {
        this.#wish(key, undefined);
        this.error.value = error;
      },
    );
  }

  #wish(key: string, wish: Wish | undefined): void {
    const wishes = new Map(this.#wishes.value);
    if (wish) wishes.set(key, wish);
    else wishes.delete(key);
    this.#wishes.value = wishes;
  }

  /** Pins a message, or takes it off. */
  pin(message: Message, remove: boolean): void {
    this.#channel.pin(message, { remove }).catch((error: ParleyError) => (this.error.value = error));
  }

  /** A message as it is now, if it is held. */
  held({ seq, epoch }: { seq: number; epoch: string }): Message | undefined {
    return this.#channel.messages.find((m) => m.seq === seq && m.epoch === epoch);
  }

  /** The message that another one answers: undefined while it is not known, null if there is none. */
  quoted({ reply, epoch }: { reply?: number; epoch: string }): Message | undefined | null {
    if (reply === undefined) return null;
    const held = this.held({ seq: reply, epoch });
    if (held) return held;
    if (this.#quotes.value.has(reply)) return this.#quotes.value.get(reply) ?? null;
    void this.read({ seq: reply, epoch });
    return undefined;
  }

  /** Reads a message again, or one that is not held; one at a time for each. */
  async read({ seq, epoch }: { seq: number; epoch: string }): Promise<void> {
    if (this.#reading.has(seq)) return;
    this.#reading.add(seq);
    try {
      const message = await this.#channel.read({ seq, epoch });
      this.#quotes.value = new Map(this.#quotes.value).set(seq, message);
    } catch {
      // It is asked for again when it is drawn again.
    } finally {
      window.setTimeout(() => this.#reading.delete(seq), SETTLES_WITHIN);
    }
  }

  /** Shows a message, once the channel is joined. */
  look(spot: Spot): void {
    this.#spot = this.looking.value = spot;
    this.#look();
  }

  #look(): void {
    const spot = this.#spot;
    if (!spot || this.#channel.state !== "joined") return;
    this.#spot = undefined;
    void this.jump(spot.seq, spot.epoch).then(() => {
      if (this.looking.value === spot) this.looking.value = undefined;
    });
  }

  /** Shows a message, wherever in the history it is; without an epoch, one of now. */
  async jump(seq: number, epoch?: string): Promise<void> {
    const is = (message: Message) => message.seq === seq && message.epoch === (epoch ?? message.epoch);
    const held = () => this.#channel.messages.some(is);
    try {
      if (!held()) await this.#channel.loadAround(seq);
      for (let gap; !held() && (gap = this.#channel.gaps.find((g) => g.from < seq && seq < g.to)); ) {
        if ((await this.#channel.fill(gap)) === 0) break;
      }
      if (!held()) throw new ParleyError(ErrorCode.Gone, "no such message");
      this.#show();
      this.target.value = { seq };
    } catch (error) {
      this.error.value = error as ParleyError;
    }
  }

  #changed(message: Message): void {
    if (message.deleted) {
      this.#forget(keyOf(message));
      const same = (other: Message | undefined) => other && keyOf(other) === keyOf(message);
      if (same(this.editing.value) || same(this.replying.value)) this.cancel();
    }
    if (this.#quotes.value.has(message.seq)) {
      this.#quotes.value = new Map(this.#quotes.value).set(message.seq, message);
    }
  }
}

function wishKey(message: Message, name: string): string {
  return `${keyOf(message)}\n${name}`;
}
