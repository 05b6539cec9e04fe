import { batch, computed, effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import { ErrorCode, type Channel, type Message, type ParleyError, type Saved } from "@parley-chat/sdk";
import { Changes } from "./changes.ts";
import { Drafts, isSavedDrafts } from "./drafts.ts";
import { mentioned } from "./mentions.ts";
import { Moderation } from "./moderation.ts";
import { News } from "./news.ts";
import { isOutbox, toSave } from "./outbox.ts";
import { isSavedReading, peerOf, Reading, type Peer } from "./reading.ts";
import { buildRows, keyOf, type Row } from "./rows.ts";
import { kept, tab } from "./storage.ts";

/** Pages of history without a message of the conversation, after which one is asked. */
const BARREN = 5;
/** What has been read is kept this soon after it changed, in milliseconds. */
const KEEP_WITHIN = 500;

/** What a view needs of the page. */
export interface Surroundings {
  /** One's own name. */
  user: ReadonlySignal<string>;
  /** Shows a conversation of the channel. */
  open(peer: Peer): void;
  /** Called for every new message of others. */
  arrived(message: Message, peer: Peer, mentioned: boolean): void;
}

/** What the page shows of one channel, beside what the SDK knows of it. */
export class ChannelView {
  readonly channel: Channel;
  /** The conversations of the channel, and what is unread in them. */
  readonly reading = new Reading();
  /** How many messages are unread in the conversation that is shown. */
  readonly unread: ReadonlySignal<number>;
  /** The user with whom alone the conversation is that is shown; undefined for everybody. */
  readonly privateTo: ReadonlySignal<Peer>;
  /** The text that is being written in it. */
  readonly draft: ReadonlySignal<string>;
  /** What was unread in it when it was opened, until one has seen where that begins. */
  readonly news: News;
  /** Counts how often a conversation was chosen, the one that was shown already too. */
  readonly chosen = signal(0);
  /** Ids of the long messages that are shown in full. */
  readonly expanded = signal<ReadonlySet<string>>(new Set());
  /** Counts the messages sent from here. */
  readonly sent = signal(0);
  readonly olderFailed = signal(false);
  /** Older messages were looked through for some of this conversation, in vain so far. */
  readonly barren: ReadonlySignal<boolean>;
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

  readonly #around: Surroundings;
  readonly #barren = signal(0);
  readonly #drafts = new Drafts();
  /** The user for whom the tab remembers things; undefined until that is known. */
  #owner: string | undefined;
  readonly #version = signal(0);
  readonly #away = signal<{ after: string; missed: number; complete: boolean } | undefined>(
    undefined,
  );
  readonly #heads = new Set<string>();
  #scheduled = false;
  #saving = false;
  /** Whether there is something of the outbox in the tab's memory. */
  #saved = false;
  #forgotten = false;
  #keeping = 0;
  #counted = false;
  readonly #stop: () => void;

  constructor(channel: Channel, around: Surroundings) {
    const { user } = around;
    this.channel = channel;
    this.#around = around;
    this.changes = new Changes(channel, user, () => void this.#version.value++);
    this.moderation = new Moderation(channel, user, this.changes);
    this.draft = this.#drafts.text;
    this.privateTo = this.#drafts.to;
    this.news = new News(channel, this.changes, this.reading, user, this.privateTo);
    this.unread = computed(() => this.reading.of(this.privateTo.value).count);
    this.barren = computed(() => this.#barren.value >= BARREN);
    this.rows = computed(() => this.#build());
    this.#stop = effect(() => {
      void this.#version.value;
      this.moderation.update();
      untracked(() => this.reading.search(channel.messages, user.value));
    });
    channel.on("state", () => this.#count());
    channel.on("reset", () => this.reading.reset());
    channel.on("change", () => this.#changed());
    channel.on("sanctioned", (told) => {
      if (told.user === user.value && told.action === "kick") this.expelled = told.reason;
    });
    channel.on("recovered", ({ after, missed, complete }) => {
      if (missed > 0 && after) this.#away.value = { after: keyOf(after), missed, complete };
    });
    channel.on("message", (message) => {
      this.#keepSoon();
      if (message.user === user.value) return;
      const peer = peerOf(message, user.value);
      const watched = this.watched && peer === this.privateTo.value;
      this.reading.arrived(message, peer, this.#mentions(message), watched);
      around.arrived(message, peer, this.#mentions(message));
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

  /** The newest message of the conversation that is shown has been seen. */
  seen(): void {
    if (this.unread.value === 0) return;
    this.reading.seen(this.privateTo.value);
    this.#keepSoon();
  }

  /** The reader turned to another conversation: what comes from now on is new. */
  left(): void {
    this.watched = false;
    this.clearMarkers();
  }

  /** The markers have served: the reader left the conversation, or answered. */
  clearMarkers(): void {
    this.reading.unmark(this.privateTo.value);
    this.news.dismiss();
    this.#away.value = undefined;
  }

  /** Whether a text waits in a conversation to be sent. */
  keeps(peer: Peer): boolean {
    return this.#drafts.textFor(peer).trim() !== "";
  }

  /** How much of what was written here is not known to be sent. */
  get unsent(): { messages: number; drafts: number } {
    const messages = this.channel.outbox.filter(({ status }) => status !== "sent").length;
    return { messages, drafts: this.#drafts.count };
  }

  setDraft(text: string, to = this.privateTo.value): void {
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
    return [...new Set([...members, ...recent])].filter((user) => user !== this.#around.user.value);
  }

  /** Answers a message in the conversation that it is part of. */
  replyTo(message: Message): void {
    const peer = peerOf(message, this.#around.user.value);
    if (peer !== this.privateTo.value) this.#around.open(peer);
    this.changes.reply(message);
    this.chosen.value++;
  }

  /** Opens the conversation with one user alone. */
  writeTo(user: string): void {
    this.#around.open(user);
  }

  /** Shows a conversation; the page's address is not changed by it. */
  show(peer: Peer): void {
    batch(() => {
      if (peer !== this.privateTo.value) {
        this.left();
        this.changes.cancel();
        this.#drafts.to.value = peer;
        this.#barren.value = 0;
        this.olderFailed.value = false;
      }
      this.news.opened();
      if (peer !== undefined) this.reading.add(peer);
      this.chosen.value++;
    });
    this.#keepSoon();
  }

  /** Shows a long message in full, or not any more. */
  toggle(id: string): void {
    const expanded = new Set(this.expanded.value);
    if (!expanded.delete(id)) expanded.add(id);
    this.expanded.value = expanded;
  }

  /** Loads the page above the oldest message. */
  async loadOlder(): Promise<void> {
    const peer = this.privateTo.value;
    const { length } = this.rows.value;
    const oldest = this.rows.value.find((row) => row.kind === "message");
    if (oldest) this.#heads.add(oldest.key);
    try {
      await this.channel.loadOlder(100);
      this.olderFailed.value = false;
      this.#version.value++;
      if (peer !== this.privateTo.value) return;
      // The history is that of all conversations; one need not be far back in it.
      this.#barren.value = this.rows.value.length > length ? 0 : this.#barren.value + 1;
    } catch {
      // What is not granted is known to the channel.
      this.olderFailed.value = !this.channel.forbidden.has("history");
    }
  }

  /** Looks further back for messages of the conversation. */
  lookOn(): void {
    this.#barren.value = 0;
  }

  /** Takes up what the tab remembers of a user, once it is known who one is. */
  restore(owner: string): void {
    if (this.#owner !== undefined) return;
    this.#owner = owner;
    const drafts = tab.get(this.#key("draft"), isSavedDrafts);
    if (drafts) this.#drafts.restore(drafts);
    this.#saveDrafts();
    this.#count();
    // What was written and not acknowledged outlives a reload of the page.
    const outbox = tab.get(this.#key("outbox"), isOutbox);
    if (outbox) {
      this.#saved = true;
      this.channel.restore(outbox);
    }
    this.#list();
  }

  /** What waits to be sent is found again. */
  #list(): void {
    const peers = [...this.#drafts.peers, ...this.channel.outbox.map(({ to }) => to)];
    for (const peer of peers) if (peer !== undefined) this.reading.add(peer);
  }

  /** Continues with what was written in an earlier view of the same user and channel. */
  inherit(earlier: ChannelView, outbox: readonly Saved[] = earlier.channel.outbox): void {
    const drafts = earlier.#drafts.save();
    if (drafts) this.#drafts.restore(drafts);
    for (const peer of earlier.reading.peers.value) this.reading.add(peer);
    this.channel.restore(outbox);
    this.#saveDrafts();
    this.#list();
  }

  /** Forgets what the tab remembers of this user in this channel. */
  forget(): void {
    this.changes.flush();
    this.#stop();
    clearTimeout(this.#keeping);
    this.moderation.stop();
    this.#forgotten = true;
    tab.set(this.#key("outbox"), undefined);
    tab.set(this.#key("draft"), undefined);
    kept.set(this.#key("read"), undefined);
  }

  /** Keeps what has been read now: the page may be gone soon. */
  keep(): void {
    clearTimeout(this.#keeping);
    this.#keeping = 0;
    if (this.#forgotten || this.#owner === undefined || !this.#counted) return;
    kept.set(this.#key("read"), this.reading.save());
  }

  #keepSoon(): void {
    if (this.#keeping === 0) this.#keeping = window.setTimeout(() => this.keep(), KEEP_WITHIN);
  }

  /** Counts what came since the user was here last, once the channel and the user are known. */
  #count(): void {
    if (this.#counted || this.#owner === undefined || this.channel.state !== "joined") return;
    this.#counted = true;
    const saved = kept.get(this.#key("read"), isSavedReading);
    const { messages } = this.channel;
    if (saved) this.reading.restore(saved, messages, this.#owner, (m) => this.#mentions(m));
    this.reading.search(messages, this.#owner);
    this.news.opened();
    if (this.watched) this.seen();
    this.#keepSoon();
  }

  #mentions(message: Message): boolean {
    return message.mentions?.includes(this.#around.user.value) ?? false;
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
    tab.set(this.#key("outbox"), this.#saved ? pending.map(toSave) : undefined);
  }

  /** A key that no other user and channel have, whatever their names are. */
  #key(what: string): string {
    return JSON.stringify([what, this.#owner, this.channel.name]);
  }

  #build(): Row[] {
    void this.#version.value;
    const { messages, outbox, gaps } = this.channel;
    const me = this.#around.user.value;
    const peer = this.privateTo.value;
    return buildRows({
      messages,
      outbox,
      gaps,
      user: me,
      within: (message) => peerOf(message, me) === peer,
      firstNew: this.reading.marker(peer),
      away: peer === undefined ? this.#away.value : undefined,
      heads: this.#heads,
    });
  }
}

