import { computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import { ErrorCode, type Channel, type Message, type ParleyError } from "@parley-chat/sdk";
import { Changes } from "./changes.ts";
import { Drafts, isSavedDrafts } from "./drafts.ts";
import { mentioned } from "./mentions.ts";
import { Moderation } from "./moderation.ts";
import { isOutbox } from "./outbox.ts";
import { buildRows, keyOf, type Row } from "./rows.ts";
import { tab } from "./storage.ts";

/** What the page shows of one channel, beside what the SDK knows of it. */
export class ChannelView {
  readonly channel: Channel;
  readonly unread = signal(0);
  /** The text that is being written, and the user for whom alone it is. */
  readonly draft: ReadonlySignal<string>;
  readonly privateTo: ReadonlySignal<string | undefined>;
  /** Counts how often a recipient was chosen, the one that it was already too. */
  readonly chosen = signal(0);
  /** The user to whom one wrote privately until just now. */
  readonly formerly = signal<string | undefined>(undefined);
  /** Ids of the long messages that are shown in full. */
  readonly expanded = signal<ReadonlySet<string>>(new Set());
  /** Counts the messages sent from here. */
  readonly sent = signal(0);
  readonly olderFailed = signal(false);
  /** Whether somebody who is shut out asks to be let in. */
  readonly asking = signal(false);
  readonly rows: ReadonlySignal<Row[]>;
  /** What one is doing to the messages. */
  readonly changes: Changes;
  /** What binds one here, and what moderators do. */
  readonly moderation: Moderation;

  /** Why a moderator put the user out last. */
  expelled: string | undefined;
  /** Whether its newest message is being looked at. */
  watched = false;

  readonly #user: ReadonlySignal<string>;
  readonly #drafts = new Drafts();
  /** The user for whom the tab remembers things; undefined until that is known. */
  #owner: string | undefined;
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
  readonly #stop: () => void;

  /** `user` is one's own name; `arrived` is called for every new message of others. */
  constructor(
    channel: Channel,
    user: ReadonlySignal<string>,
    arrived: (message: Message) => void,
  ) {
    this.channel = channel;
    this.#user = user;
    this.changes = new Changes(channel, user);
    this.moderation = new Moderation(channel, user, this.changes);
    this.draft = this.#drafts.text;
    this.privateTo = this.#drafts.to;
    this.rows = computed(() => this.#build());
    this.#stop = effect(() => {
      void this.#version.value;
      this.moderation.update();
    });
    channel.on("change", () => this.#changed());
    channel.on("sanctioned", (told) => {
      if (told.user === user.value && told.action === "kick") this.expelled = told.reason;
    });
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

  /** Whether the user may not be in the channel, or not any more; until that has changed. */
  get shutOut(): boolean {
    void this.#version.value;
    const { state, error } = this.channel;
    const out = error?.code === ErrorCode.Forbidden || error?.code === ErrorCode.Sanctioned;
    return this.asking.value || (state === "failed" && out);
  }

  /** Whether there is nothing to see of the channel, neither of others nor one's own. */
  get empty(): boolean {
    const { messages, outbox } = this.channel;
    return messages.length === 0 && outbox.length === 0 && this.#drafts.count === 0;
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

  /** How much of what was written here is not known to be sent. */
  get unsent(): { messages: number; drafts: number } {
    const messages = this.channel.outbox.filter(({ status }) => status !== "sent").length;
    return { messages, drafts: this.#drafts.count };
  }

  /** Whether a text for a user waits to be sent. */
  keeps(user: string): boolean {
    return this.#drafts.textFor(user).trim() !== "";
  }

  setDraft(text: string, to = this.privateTo.value): void {
    this.formerly.value = undefined;
    this.#drafts.set(text, to);
    this.#saveDrafts();
  }

  /** Sends the draft. What becomes of it is shown in the list. */
  send(): void {
    const body = this.draft.value;
    const { state } = this.channel;
    // Where nothing can be sent, the text stays where it is.
    if (body.trim() === "" || state === "idle" || state === "failed") return;
    const to = this.privateTo.value;
    const reply = this.changes.replying.value;
    const mentions = this.channel.changeable ? mentioned(body, this.people) : [];
    const options = {
      ...(to === undefined ? {} : { to }),
      ...(reply && { reply }),
      ...(mentions.length > 0 && { mentions }),
    };
    this.changes.cancel();
    this.channel.send(body, options).catch((error: ParleyError) => {
      const full = error.code === ErrorCode.OutboxFull;
      if (full && this.#drafts.textFor(to) === "") this.setDraft(body, to);
    });
    this.setDraft("");
    this.moderation.sent();
    this.clearMarkers();
    this.sent.value++;
  }

  /** Those whom one may mention: who is here, and who wrote what is held. */
  get people(): string[] {
    const { messages, members } = this.channel;
    const recent = messages.slice(-200).map(({ user }) => user);
    return [...new Set([...members, ...recent])].filter((user) => user !== this.#user.value);
  }

  /** Answers a message, privately where it was private. */
  replyTo(message: Message): void {
    const { user, to } = message;
    const other = user === this.#user.value ? to : user;
    if (to !== undefined && other !== undefined) this.writeTo(other);
    else if (this.privateTo.value !== undefined) this.writeToAll();
    this.changes.reply(message);
    this.chosen.value++;
  }

  /** Turns to one user; where it is that one already, nothing changes. */
  writeTo(user: string): void {
    this.#choose(user, undefined);
  }

  /** Turns back to everybody. */
  writeToAll(): void {
    this.#choose(undefined, this.privateTo.value);
  }

  #choose(to: string | undefined, formerly: string | undefined): void {
    this.changes.cancel();
    this.#drafts.to.value = to;
    this.formerly.value = formerly;
    this.chosen.value++;
    this.#saveDrafts();
  }

  /** Shows a long message in full, or not any more. */
  toggle(id: string): void {
    const expanded = new Set(this.expanded.value);
    if (!expanded.delete(id)) expanded.add(id);
    this.expanded.value = expanded;
  }

  /** Loads the page above the oldest message. */
  async loadOlder(): Promise<void> {
    const oldest = this.channel.messages[0];
    if (oldest) this.#heads.add(keyOf(oldest));
    try {
      await this.channel.loadOlder(100);
      this.olderFailed.value = false;
    } catch {
      // What is not granted is known to the channel.
      this.olderFailed.value = !this.channel.forbidden.has("history");
    }
  }

  /** Takes up what the tab remembers of a user, once it is known who one is. */
  restore(owner: string): void {
    if (this.#owner !== undefined) return;
    this.#owner = owner;
    const drafts = tab.get(this.#key("draft"), isSavedDrafts);
    if (drafts) this.#drafts.restore(drafts);
    this.#saveDrafts();
    // What was written and not acknowledged outlives a reload of the page.
    const outbox = tab.get(this.#key("outbox"), isOutbox);
    if (!outbox) return;
    this.#saved = true;
    this.channel.restore(outbox);
  }

  /** Continues with what was written in an earlier view of the same user and channel. */
  inherit(earlier: ChannelView): void {
    const drafts = earlier.#drafts.save();
    if (drafts) this.#drafts.restore(drafts);
    this.channel.restore(earlier.channel.outbox);
  }

  /** Forgets what the tab remembers of this user in this channel. */
  forget(): void {
    this.changes.flush();
    this.#stop();
    this.moderation.stop();
    this.#forgotten = true;
    tab.set(this.#key("outbox"), undefined);
    tab.set(this.#key("draft"), undefined);
  }

  /** Changes of one frame are shown together, however many there are. */
  #changed(): void {
    this.#saveSoon();
    if (this.#scheduled) return;
    this.#scheduled = true;
    // A page that is not drawn has no frames, and continues all the same.
    const show = () => {
      if (!this.#scheduled) return;
      this.#scheduled = false;
      this.#version.value++;
    };
    requestAnimationFrame(show);
    setTimeout(show, 100);
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

  #saveDrafts(): void {
    if (this.#forgotten || this.#owner === undefined) return;
    tab.set(this.#key("draft"), this.#drafts.save());
  }

  #saveOutbox(): void {
    if (this.#forgotten || this.#owner === undefined) return;
    const pending = this.channel.outbox.filter(({ status }) => status !== "sent");
    if (pending.length === 0 && !this.#saved) return;
    this.#saved = pending.length > 0;
    const keep = pending.map(
      ({ id, body, to, time, status, attempted, error, reply, epoch, mentions }) => {
        return { id, body, to, time, status, attempted, error, reply, epoch, mentions };
      },
    );
    tab.set(this.#key("outbox"), this.#saved ? keep : undefined);
  }

  /** A key that no other user and channel have, whatever their names are. */
  #key(what: string): string {
    return JSON.stringify([what, this.#owner, this.channel.name]);
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

