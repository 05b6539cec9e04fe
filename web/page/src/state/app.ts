import { computed, effect, signal } from "@preact/signals";
import {
  Client,
  ErrorCode,
  ParleyError,
  UnauthorizedError,
  type ClientState,
  type Message,
} from "@parley-chat/sdk";
import { Attention } from "./attention.ts";
import { plain, type Key } from "./i18n.ts";
import {
  address,
  fetchChannelToken,
  fetchToken,
  logOut,
  NoEndpoint,
  wantsToken,
} from "./login.ts";
import { channelOf, hashOf } from "./route.ts";
import { browser, isString, tab } from "./storage.ts";
import { ChannelView } from "./view.ts";

/** Who signs in. With a token the user is the one that it names, and may be "". */
export interface Credentials {
  user: string;
  token?: string;
  /** Whoever is logged in on this site, which issues the tokens. */
  login?: true;
}

interface Saved extends Credentials {
  channels: string[];
  /** Who that is, once the server has confirmed it. */
  known?: string;
}

function isSession(value: unknown): value is Saved {
  const { user, token, login, known, channels } = (value ?? {}) as Partial<Saved>;
  return (
    isString(user) &&
    (login === undefined || login === true) &&
    (token === undefined || isString(token)) &&
    (known === undefined || isString(known)) &&
    Array.isArray(channels) &&
    channels.every(isString)
  );
}

/** A question that is asked before something is done that cannot be undone. */
export interface Question {
  text: Key;
  name?: string;
  unsent: { messages: number; drafts: number };
  /** What is done, in a word. */
  answer: Key;
  act(): void;
}

/** Messages of a channel that are held; older ones are loaded again when looked for. */
const MAX_HELD = 20_000;

/** The page's state: one user, one connection, several channels side by side. */
export class App {
  readonly client = signal<Client | undefined>(undefined);
  readonly user = signal("");
  readonly connection = signal<ClientState>({ status: "idle" });
  readonly views = signal<readonly ChannelView[]>([]);
  readonly activeName = signal(channelOf(location.hash) ?? tab.get("wanted", isString));
  readonly active = computed(() =>
    this.views.value.find((view) => view.channel.name === this.activeName.value),
  );
  /** Why signing in did not work. */
  readonly signInError = signal<Key | undefined>(undefined);
  readonly needsToken = signal(false);
  /** How one signs in; undefined until that is known. */
  readonly way = signal<"form" | "login" | undefined>(undefined);
  /** The newest message of others in the channel that is looked at. */
  readonly announced = signal<Message | undefined>(undefined);
  readonly unread = computed(() => this.views.value.reduce((n, v) => n + v.unread.value, 0));
  readonly attention = new Attention();
  readonly question = signal<Question | undefined>(undefined);

  #credentials: Credentials | undefined;
  /** The channels that were open when the server stopped accepting the token. */
  #interrupted: Saved | undefined;

  constructor() {
    window.addEventListener("hashchange", () => {
      const name = channelOf(location.hash);
      if (name === undefined) return;
      if (!this.client.value) this.activeName.value = name;
      // Only what the page has shown has a state: Back leads to a channel that was left.
      else if (history.state !== null && !this.#has(name)) this.#address(this.activeName.value);
      else this.open(name);
    });
    // What is to be deleted does not wait for a page that may not come back.
    window.addEventListener("pagehide", () => {
      for (const view of this.views.value) view.changes.flush();
    });
    effect(() => {
      const name = this.active.value?.channel.name;
      const title = name === undefined ? "Parley" : `${plain(name)} – Parley`;
      document.title = this.unread.value > 0 ? `(${this.unread.value}) ${title}` : title;
    });
    const saved = tab.get("session", isSession);
    if (saved) this.#resume(saved);
    else void this.#begin();
  }

  /** Where a name is enough, one is asked for it; else this site knows who one is. */
  async #begin(): Promise<void> {
    if (await wantsToken()) await this.logIn();
    else this.way.value = "form";
  }

  /** Signs in as whoever is logged in on this site. */
  async logIn(): Promise<void> {
    this.signInError.value = undefined;
    try {
      const token = await fetchToken();
      const channels = [this.activeName.value ?? "lobby"];
      tab.set("wanted", undefined);
      this.#resume({ user: "", login: true, channels }, token);
    } catch (error) {
      if (error instanceof NoEndpoint) return this.#askForToken();
      this.way.value = "login";
      if (!(error instanceof UnauthorizedError)) this.signInError.value = "loginFailed";
      // The way back from there may know no channel.
      else tab.set("wanted", this.activeName.value);
    }
  }

  #askForToken(): void {
    this.way.value = "form";
    this.needsToken.value = true;
    this.signInError.value = "tokenHint";
  }

  /** Whether this site issues the tokens. */
  get logsIn(): boolean {
    return this.#credentials?.login ?? false;
  }

  /** The name used last in this browser. */
  get lastUser(): string {
    return browser.get("user", isString) ?? "";
  }

  /** Connects; the result shows in `client` and `signInError`. */
  signIn(credentials: Credentials, channel: string): void {
    if (credentials.user !== "") browser.set("user", credentials.user);
    this.#connect(credentials);
    this.open(channel);
  }

  /** Signs out, and asks first where something would be lost by it. */
  signOut(): void {
    const unsent = this.views.value.map((view) => view.unsent);
    const messages = unsent.reduce((n, { messages }) => n + messages, 0);
    const drafts = unsent.reduce((n, { drafts }) => n + drafts, 0);
    this.#ask({
      text: "signOutUnsent",
      unsent: { messages, drafts },
      answer: "signOut",
      act: () => this.#signOut(),
    });
  }

  #ask(question: Question): void {
    const { messages, drafts } = question.unsent;
    if (messages + drafts === 0) question.act();
    else this.question.value = question;
  }

  #signOut(): void {
    tab.set("session", undefined);
    for (const view of this.views.value) view.forget();
    this.client.value?.close();
    this.client.value = undefined;
    this.views.value = [];
    if (!this.#credentials?.login) return void (this.way.value = "form");
    this.way.value = "login";
    // The next one to log in here may be somebody else.
    this.activeName.value = undefined;
    this.#address(undefined);
    this.signInError.value = "signedOut";
    void logOut();
  }

  /** Shows a channel, joined when it was not. */
  open(name: string): void {
    this.#keep(name);
    if (this.activeName.value !== name) this.active.value?.left();
    this.activeName.value = name;
    if (channelOf(location.hash) !== name) history.pushState({}, "", hashOf(name));
    else history.replaceState({}, "");
  }

  /** Leaves a channel, and asks first where something would be lost by it. */
  leave(view: ChannelView): void {
    this.#ask({
      text: "leaveUnsent",
      name: view.channel.name,
      unsent: view.unsent,
      answer: "leave",
      act: () => this.#leave(view),
    });
  }

  #leave(view: ChannelView): void {
    const index = this.views.value.indexOf(view);
    this.views.value = this.views.value.filter((v) => v !== view);
    view.forget();
    void view.channel.leave();
    this.#save();
    if (this.activeName.value !== view.channel.name) return;
    const next = this.views.value[Math.min(index, this.views.value.length - 1)];
    if (next) return this.open(next.channel.name);
    this.activeName.value = undefined;
    this.#address(undefined);
  }

  #has(name: string): boolean {
    return this.views.value.some((view) => view.channel.name === name);
  }

  /** Has the address say which channel is shown. */
  #address(name: string | undefined): void {
    history.replaceState({}, "", name === undefined ? location.pathname : hashOf(name));
  }

  /** Shows the channel before or after the one shown. */
  step(by: 1 | -1): void {
    const views = this.views.value;
    const view = views[(views.indexOf(this.active.value!) + by + views.length) % views.length];
    if (view) this.open(view.channel.name);
  }

  /** Connects again after the server turned this client away. */
  reconnect(): void {
    const before = this.views.value;
    const channels = before.map((view) => view.channel.name);
    const { value: state } = this.connection;
    if (!this.#credentials) return;
    if (state.status === "closed" && state.error?.code === ErrorCode.OtherUser) {
      // The words of one are not those of the other.
      return this.#resume({ ...this.#credentials, channels });
    }
    this.#resume({ ...this.#credentials, channels, known: this.user.value });
    // The tab need not have been able to keep what was written.
    for (const [i, view] of this.views.value.entries()) view.inherit(before[i]!);
  }

  /** Asks whether what was refused is allowed by now. */
  async tryAgain(view: ChannelView): Promise<void> {
    view.asking.value = view.shutOut;
    await this.client.value?.refresh().catch(() => {});
    if (view.channel.state === "failed") await view.channel.join().catch(() => {});
    view.asking.value = false;
  }

  #resume(saved: Saved, token?: string): void {
    const { channels, known, ...credentials } = saved;
    this.#connect(credentials, known, token);
    this.views.value = channels.map((name) => this.#view(name));
    const name = this.activeName.value ?? channels[0];
    if (name !== undefined) this.open(name);
  }

  /** The channel's view, which is made when there is none. */
  #keep(name: string): void {
    if (this.#has(name)) return;
    this.views.value = [...this.views.value, this.#view(name)];
    this.#save();
  }

  /** Without a token users name themselves; with one, the server names them. */
  #connect(
    credentials: Credentials,
    known = credentials.token ? "" : credentials.user,
    token = credentials.token,
  ): void {
    this.client.value?.close();
    this.#credentials = credentials;
    const { user, login } = credentials;
    const client = new Client({
      url: address("ws"),
      client: "parley-page",
      // Only a window of them is drawn.
      channels: { keep: MAX_HELD },
      ...(user === "" ? {} : { user }),
      ...(token === undefined ? {} : { token }),
      ...(login ? { getToken: fetchToken, getChannelToken: fetchChannelToken } : {}),
    });
    this.views.value = [];
    this.question.value = undefined;
    this.announced.value = undefined;
    this.user.value = known;
    this.signInError.value = undefined;
    this.client.value = client;
    this.connection.value = client.state;
    client.on("state", (state) => {
      if (this.client.value !== client) return;
      this.connection.value = state;
      if (state.status === "online") this.#identified(client.session!.user);
      if (state.status === "closed") this.#turnedAway(state.error);
    });
    void client.connect(); // the state says how it went
  }

  /** The server has confirmed the user: what the tab kept for them is restored. */
  #identified(user: string): void {
    this.user.value = user;
    for (const view of this.views.value) view.restore(user);
    const before = this.#interrupted;
    this.#interrupted = undefined;
    for (const name of before?.known === user ? before.channels : []) this.#keep(name);
    this.#save();
  }

  #turnedAway(error: ParleyError | undefined): void {
    if (this.#credentials?.login) return this.#loggedOut(error);
    const reasons: Record<number, Key> = {
      [ErrorCode.Unauthenticated]: "unauthenticated",
      [ErrorCode.InvalidParams]: "badName",
      3500: "unauthenticated",
    };
    const reason = reasons[error?.code ?? 0];
    if (!reason) return; // stays on the page, which offers to connect again
    const asked = this.#credentials?.token !== undefined;
    if (reason === "unauthenticated") this.needsToken.value = true;
    this.way.value = "form";
    this.signInError.value = reason === "unauthenticated" && !asked ? "tokenHint" : reason;
    const saved = tab.get("session", isSession);
    if (saved?.known !== undefined) this.#interrupted = saved;
    tab.set("session", undefined);
    this.#forget();
  }

  /** The page goes on, and offers to log in, unless there is nothing on it to look at. */
  #loggedOut(error: ParleyError | undefined): void {
    const empty = this.views.value.every((view) => view.channel.messages.length === 0);
    if (error?.code !== ErrorCode.LoggedOut || !empty) return;
    this.way.value = "login";
    this.#forget();
  }

  #forget(): void {
    this.client.value = undefined;
    this.views.value = [];
    this.question.value = undefined;
    this.announced.value = undefined;
  }

  #view(name: string): ChannelView {
    const channel = this.client.value!.channel(name);
    const view = new ChannelView(channel, this.user, (message) => {
      if (view === this.active.value) this.announced.value = message;
      // It may have been left, or somebody else be signed in, when it is clicked.
      this.attention.notify(message, () => this.views.value.includes(view) && this.open(name));
    });
    if (this.user.value !== "") view.restore(this.user.value);
    void channel.join(); // the channel's state says how it went
    return view;
  }

  #save(): void {
    if (!this.#credentials) return;
    const channels = this.views.value.map((view) => view.channel.name);
    const known = this.user.value === "" ? {} : { known: this.user.value };
    tab.set("session", { ...this.#credentials, channels, ...known } satisfies Saved);
  }
}
