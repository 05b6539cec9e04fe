import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { Channel, Message, Saved } from "@parley-chat/sdk";
import { buildRows, keyOf, type Row } from "./rows.ts";
import { tab } from "./storage.ts";

/** What the page shows of one channel, beside what the SDK knows of it. */
export class ChannelView {
  readonly channel: Channel;
  readonly unread = signal(0);
  readonly draft = signal("");
  /** The user to whom the next message goes privately. */
  readonly privateTo = signal<string | undefined>(undefined);
  readonly olderFailed = signal(false);
  readonly rows: ReadonlySignal<Row[]>;

  /** Whether its newest message is being looked at. */
  watched = false;

  readonly #user: ReadonlySignal<string>;
  /** Under whose name the tab remembers things. */
  readonly #account: string;
  readonly #version = signal(0);
  readonly #firstNew = signal<string | undefined>(undefined);
  readonly #away = signal<{ after: string; missed: number; complete: boolean } | undefined>(
    undefined,
  );
  readonly #heads = new Set<string>();
  #scheduled = false;
  #saving = false;
  /** Whether there is something of the outbox in the tab's memory. */
  #saved = false;
  #forgotten = false;

  /**
   * `user` is who the server says one is, `account` who one said to be; `arrived`
   * is told of every new message of others.
   */
  constructor(
    channel: Channel,
    user: ReadonlySignal<string>,
    account: string,
    arrived: (message: Message) => void,
  ) {
    this.channel = channel;
    this.#user = user;
    this.#account = account;
    this.draft.value = tab.get(`draft.${account}.${channel.name}`) ?? "";
    this.rows = computed(() => this.#build());
    this.#restoreOutbox();
    channel.on("change", () => this.#changed());
    channel.on("recovered", ({ after, missed, complete }) => {
      if (missed > 0 && after) this.#away.value = { after: keyOf(after), missed, complete };
    });
    channel.on("message", (message) => {
      if (message.user === user.value) return;
      arrived(message);
      if (this.watched) return;
      if (this.unread.value === 0) this.#firstNew.value = keyOf(message);
      this.unread.value++;
    });
  }

  /** Follows every change of the channel; for use while rendering. */
  get version(): number {
    return this.#version.value;
  }

  /** The newest message has been seen. */
  seen(): void {
    this.unread.value = 0;
  }

  /** The reader turned to another channel: what comes from now on is new. */
  left(): void {
    this.watched = false;
    this.clearMarkers();
  }

  /** The markers have served: the reader left the channel, or answered. */
  clearMarkers(): void {
    this.#firstNew.value = undefined;
    this.#away.value = undefined;
  }

  setDraft(text: string): void {
    this.draft.value = text;
    tab.set(`draft.${this.#account}.${this.channel.name}`, text || undefined);
  }

  /** Sends the draft. What becomes of it is shown in the list. */
  send(): void {
    const body = this.draft.value;
    if (body.trim() === "") return;
    const to = this.privateTo.value;
    this.channel.send(body, to === undefined ? {} : { to }).catch(() => {});
    this.setDraft("");
    this.clearMarkers();
  }

  /** Turns to one user, or back to everybody when it was that one already. */
  writeTo(user: string): void {
    this.privateTo.value = this.privateTo.value === user ? undefined : user;
  }

  /** Loads the page above the oldest message. */
  async loadOlder(): Promise<void> {
    const oldest = this.channel.messages[0];
    if (oldest) this.#heads.add(keyOf(oldest));
    try {
      await this.channel.loadOlder(100);
      this.olderFailed.value = false;
    } catch {
      this.olderFailed.value = true;
    }
  }

  /** Forgets what the tab remembers of this user in this channel. */
  forget(): void {
    this.#forgotten = true;
    tab.set(this.#outboxKey, undefined);
    this.setDraft("");
  }

  /** Changes of one frame are shown together, however many there are. */
  #changed(): void {
    this.#saveSoon();
    if (this.#scheduled) return;
    this.#scheduled = true;
    // A page that is not drawn has no frames, and goes on all the same.
    const show = () => {
      if (!this.#scheduled) return;
      this.#scheduled = false;
      this.#version.value++;
    };
    requestAnimationFrame(show);
    setTimeout(show, 100);
  }

  /** What was written and not acknowledged outlives a reload of the page. */
  #restoreOutbox(): void {
    const saved = tab.get<Saved[]>(this.#outboxKey);
    if (!saved) return;
    this.#saved = true;
    this.channel.restore(saved);
  }

  /** What is saved does not wait for a frame: the page may be gone by then. */
  #saveSoon(): void {
    if (this.#saving) return;
    this.#saving = true;
    queueMicrotask(() => {
      this.#saving = false;
      this.#saveOutbox();
    });
  }

  #saveOutbox(): void {
    if (this.#forgotten) return;
    const pending = this.channel.outbox.filter(({ status }) => status !== "sent");
    if (pending.length === 0 && !this.#saved) return;
    this.#saved = pending.length > 0;
    const keep = pending.map(({ id, body, to, time, status, attempted }) => {
      return { id, body, to, time, status, attempted };
    });
    tab.set(this.#outboxKey, this.#saved ? keep : undefined);
  }

  get #outboxKey(): string {
    return `outbox.${this.#account}.${this.channel.name}`;
  }

  #build(): Row[] {
    void this.#version.value;
    const { messages, outbox, gaps } = this.channel;
    return buildRows({
      messages,
      outbox,
      gaps,
      user: this.#user.value,
      firstNew: this.#firstNew.value,
      away: this.#away.value,
      heads: this.#heads,
    });
  }
}

