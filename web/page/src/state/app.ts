import { computed, effect, signal } from "@preact/signals";
import { Client, ErrorCode, ParleyError, type ClientState, type Message } from "@parley-chat/sdk";
import { Attention } from "./attention.ts";
import type { Key } from "./i18n.ts";
import { channelOf, hashOf } from "./route.ts";
import { browser, tab } from "./storage.ts";
import { ChannelView } from "./view.ts";

/** Who signs in. With a token the user is who the token says, and may be "". */
export interface Credentials {
  user: string;
  token?: string;
}

interface Saved extends Credentials {
  channels: string[];
}

/** Messages of a channel that are held; older ones are loaded again when looked for. */
const MAX_HELD = 20_000;

/** The page's state: one user, one connection, several channels side by side. */
export class App {
  readonly client = signal<Client | undefined>(undefined);
  readonly user = signal("");
  readonly connection = signal<ClientState>({ status: "idle" });
  readonly views = signal<readonly ChannelView[]>([]);
  readonly activeName = signal<string | undefined>(channelOf(location.hash));
  readonly active = computed(() =>
    this.views.value.find((view) => view.channel.name === this.activeName.value),
  );
  /** Why signing in did not work. */
  readonly signInError = signal<Key | undefined>(undefined);
  readonly needsToken = signal(false);
  /** The newest message of others in the channel that is looked at. */
  readonly announced = signal<Message | undefined>(undefined);
  readonly unread = computed(() => this.views.value.reduce((n, v) => n + v.unread.value, 0));
  readonly attention = new Attention();

  #credentials: Credentials | undefined;
  /** The channels that were open when the server stopped accepting the token. */
  #interrupted: Saved | undefined;

  constructor() {
    window.addEventListener("hashchange", () => {
      const name = channelOf(location.hash);
      if (name === undefined) return;
      if (this.client.value) this.open(name);
      else this.activeName.value = name;
    });
    effect(() => {
      const name = this.active.value?.channel.name;
      const title = name === undefined ? "Parley" : `${name} – Parley`;
      document.title = this.unread.value > 0 ? `(${this.unread.value}) ${title}` : title;
    });
    const saved = tab.get<Saved>("session");
    if (saved) this.#resume(saved);
  }

  /** The name used last in this browser. */
  get lastUser(): string {
    return browser.get<string>("user") ?? "";
  }

  /** Connects; the result shows in `client` and `signInError`. */
  signIn(credentials: Credentials, channel: string): void {
    if (credentials.user !== "") browser.set("user", credentials.user);
    const before = this.#interrupted;
    this.#interrupted = undefined;
    this.#connect(credentials);
    for (const name of before?.user === credentials.user ? before.channels : []) this.open(name);
    this.open(channel);
  }

  signOut(): void {
    tab.set("session", undefined);
    for (const view of this.views.value) view.forget();
    this.client.value?.close();
    this.client.value = undefined;
    this.views.value = [];
  }

  /** Shows a channel, joined when it was not. */
  open(name: string): void {
    let view = this.views.value.find((v) => v.channel.name === name);
    if (!view) {
      view = this.#view(name);
      this.views.value = [...this.views.value, view];
      this.#save();
    }
    if (this.activeName.value !== name) this.active.value?.left();
    this.activeName.value = name;
    if (channelOf(location.hash) !== name) history.pushState(null, "", hashOf(name));
  }

  leave(view: ChannelView): void {
    const index = this.views.value.indexOf(view);
    this.views.value = this.views.value.filter((v) => v !== view);
    view.forget();
    void view.channel.leave();
    this.#save();
    if (this.activeName.value !== view.channel.name) return;
    const next = this.views.value[Math.min(index, this.views.value.length - 1)];
    if (next) return this.open(next.channel.name);
    this.activeName.value = undefined;
    history.pushState(null, "", location.pathname);
  }

  /** Shows the channel before or after the one shown. */
  step(by: 1 | -1): void {
    const views = this.views.value;
    const view = views[(views.indexOf(this.active.value!) + by + views.length) % views.length];
    if (view) this.open(view.channel.name);
  }

  /** Connects again after the server turned this client away. */
  reconnect(): void {
    const names = this.views.value.map((view) => view.channel.name);
    if (this.#credentials) this.#resume({ ...this.#credentials, channels: names });
  }

  #resume(saved: Saved): void {
    const { channels, ...credentials } = saved;
    this.#connect(credentials);
    this.views.value = channels.map((name) => this.#view(name));
    const name = this.activeName.value ?? channels[0];
    if (name !== undefined) this.open(name);
  }

  #connect(credentials: Credentials): void {
    this.client.value?.close();
    this.#credentials = credentials;
    const { user, token } = credentials;
    const client = new Client({
      url: new URL("ws", location.href.replace(/[?#].*/, "")).href,
      client: "parley-page",
      // Only a window of them is drawn.
      channels: { keep: MAX_HELD },
      ...(user === "" ? {} : { user }),
      ...(token === undefined ? {} : { token }),
    });
    this.views.value = [];
    this.user.value = user;
    this.signInError.value = undefined;
    this.client.value = client;
    this.connection.value = client.state;
    client.on("state", (state) => {
      if (this.client.value !== client) return;
      this.connection.value = state;
      if (state.status === "online") this.user.value = client.session!.user;
      if (state.status === "closed") this.#turnedAway(state.error);
    });
    client.connect().catch(() => {}); // the state says it
  }

  #turnedAway(error: ParleyError | undefined): void {
    const reasons: Record<number, Key> = {
      [ErrorCode.Unauthenticated]: "unauthenticated",
      [ErrorCode.InvalidParams]: "badName",
      3500: "unauthenticated",
    };
    const reason = reasons[error?.code ?? 0];
    if (!reason) return; // stays on the page, which offers to connect again
    const asked = this.#credentials?.token !== undefined;
    if (reason === "unauthenticated") this.needsToken.value = true;
    this.signInError.value = reason === "unauthenticated" && !asked ? "tokenHint" : reason;
    this.#interrupted = tab.get<Saved>("session");
    tab.set("session", undefined);
    this.client.value = undefined;
    this.views.value = [];
  }

  #view(name: string): ChannelView {
    const channel = this.client.value!.channel(name);
    const account = this.#credentials?.user ?? "";
    const view = new ChannelView(channel, this.user, account, (message) => {
      if (view === this.active.value) this.announced.value = message;
      this.attention.notify(message, () => this.open(name));
    });
    channel.join().catch(() => {}); // the channel's state says it
    return view;
  }

  #save(): void {
    if (!this.#credentials) return;
    const channels = this.views.value.map((view) => view.channel.name);
    tab.set("session", { ...this.#credentials, channels } satisfies Saved);
  }
}
