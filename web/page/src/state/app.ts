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
import { Departure } from "./departed.ts";
import { titled, type Key } from "./i18n.ts";
import {
  address,
  fetchChannelToken,
  fetchToken,
  logOut,
  NoEndpoint,
  refusalOf,
  wantsToken,
} from "./login.ts";
import { readable } from "./markup.ts";
import type { Question } from "./question.ts";
import type { Peer } from "./reading.ts";
import { channelOf, firstHash, hashOf, wantedIn, type Spot } from "./route.ts";
import { isSession, lastSession, saveSession, type Credentials, type Session } from "./session.ts";
import { browser, isString, tab } from "./storage.ts";
import { ChannelView } from "./view.ts";

/** Messages of a channel that are held; older ones are loaded again when looked for. */
const MAX_HELD = 20_000;

/** The page's state: one user, one connection, several channels side by side. */
export class App {
  readonly client = signal<Client | undefined>(undefined);
  readonly user = signal("");
  readonly connection = signal<ClientState>({ status: "idle" });
  readonly views = signal<readonly ChannelView[]>([]);
  readonly activeName = signal(channelOf(firstHash()));
  readonly active = computed(() =>
    this.views.value.find((view) => view.channel.name === this.activeName.value),
  );
  /** Why signing in did not work. */
  readonly signInError = signal<Key | undefined>(undefined);
  readonly needsToken = signal(false);
  /** The name given last in this window; at first the one used last in this browser, unless another window may use it. */
  lastUser = "";
  /** How one signs in; undefined until that is known. */
  readonly way = signal<"form" | "login" | undefined>(undefined);
  /** The newest message of others in the channel that is looked at. */
  readonly announced = signal<Message | undefined>(undefined);
  readonly attention = new Attention();
  readonly unread = computed(() =>
    this.views.value.reduce((n, { reading, channel: { name } }) => {
      const off = this.attention.level(name) === "none";
      return n + reading.total.value - (off ? reading.of(undefined).count : 0);
    }, 0),
  );
  readonly departure = new Departure();
  readonly question = signal<Question | undefined>(undefined);

  /** The conversation that the address named at first, and the message in it. */
  #wanted = wantedIn(firstHash());
  #credentials: Credentials | undefined;
  /** The channels that were open when the server stopped accepting the token. */
  #interrupted: Session | undefined;

  constructor() {
    window.addEventListener("hashchange", () => {
      const name = channelOf(location.hash);
      const wanted = wantedIn(location.hash);
      if (name === undefined) return;
      if (!this.client.value) [this.activeName.value, this.#wanted] = [name, wanted];
      // Only what the page has shown has a state: Back leads to a channel that was left.
      else if (history.state !== null && !this.#has(name)) this.#address(this.active.value);
      else this.open(name, wanted.peer, wanted.spot);
    });
    // What is to be deleted does not wait for a page that may not come back.
    window.addEventListener("pagehide", () => {
      for (const view of this.views.value) {
        view.changes.flush();
        view.keep();
      }
    });
    effect(() => void (document.title = titled(this.active.value?.channel.name, this.unread.value)));
    const saved = tab.get("session", isSession);
    if (saved) this.#resume(saved);
    else void this.#begin();
  }

  /** Where a name is enough, one is asked for it; else this site knows who one is. */
  async #begin(): Promise<void> {
    const { alone, session } = await lastSession();
    if (session) return this.#resume(session);
    if (alone) this.lastUser = browser.get("user", isString) ?? "";
    if (await wantsToken()) await this.logIn();
    else this.way.value = "form";
  }

  /** Signs in as whoever is logged in on this site. */
  async logIn(): Promise<void> {
    this.signInError.value = undefined;
    try {
      const token = await fetchToken();
      tab.set("wanted", undefined);
      this.#resume({ user: "", login: true, channels: [this.activeName.value ?? "lobby"] }, token);
    } catch (error) {
      if (error instanceof NoEndpoint) return this.#askForToken();
      this.way.value = "login";
      if (!(error instanceof UnauthorizedError)) this.signInError.value = "loginFailed";
      // The way back from there may know no channel.
      else tab.set("wanted", this.#wantedHash());
    }
  }

  #wantedHash(): string | undefined {
    const { peer, spot } = this.#wanted;
    return this.activeName.value && hashOf(this.activeName.value, peer, spot);
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

  /** Connects; the result shows in `client` and `signInError`. */
  signIn(credentials: Credentials, channel: string): void {
    if (credentials.user !== "") browser.set("user", credentials.user);
    this.#connect(credentials);
    this.#openWanted(channel);
  }

  /** Opens a channel, at what the address named in it. */
  #openWanted(channel: string): void {
    const { peer, spot } = channel === this.activeName.value ? this.#wanted : {};
    this.#wanted = {};
    this.open(channel, peer, spot);
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
    saveSession(undefined);
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

  /** Shows a channel, joined when it was not, or the conversation with one user in it, at a message. */
  open(name: string, peer?: Peer, spot?: Spot): void {
    this.#keep(name);
    if (this.activeName.value !== name) this.active.value?.left();
    this.activeName.value = name;
    const to = peer === this.user.value ? undefined : peer;
    this.active.value!.show(to);
    if (spot) {
      this.active.value!.changes.look(spot);
      // It was led there: when the page is loaded again, it is where one was last.
      history.replaceState({}, "", hashOf(name, to));
    } else if (location.hash !== hashOf(name, to)) history.pushState({}, "", hashOf(name, to));
    else history.replaceState({}, "");
  }

  /** Lists a private conversation no longer, until something new is said in it. */
  closeConversation(view: ChannelView, peer: string): void {
    view.reading.close(peer, view.channel.messages.at(-1)?.seq ?? 0);
    this.open(view.channel.name);
  }

  /** Leaves a channel; for a while that can be taken back. */
  leave(view: ChannelView): void {
    const index = this.views.value.indexOf(view);
    this.departure.begin(view, index);
    this.#leave(view, index);
  }

  /** Is back in the channel that was left last. */
  comeBack(): void {
    const left = this.departure.last.value;
    if (left) this.open(left.view.channel.name);
  }

  #leave(view: ChannelView, index: number): void {
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
  #address(view: ChannelView | undefined): void {
    const hash = view && hashOf(view.channel.name, view.privateTo.value);
    history.replaceState({}, "", hash ?? location.pathname);
  }

  /** What the sidebar lists, in its order: the channels, and then the private conversations. */
  get places(): { view: ChannelView; peer: Peer }[] {
    const views = this.views.value;
    return [
      ...views.map((view) => ({ view, peer: undefined })),
      ...views.flatMap((view) => view.reading.peers.value.map((peer) => ({ view, peer }))),
    ];
  }

  /** Shows the channel or conversation before or after the one shown. */
  step(by: 1 | -1): void {
    const { places } = this;
    const shown = this.active.value;
    const at = places.findIndex(({ view, peer }) => view === shown && peer === shown.privateTo.value);
    const next = places[(at + by + places.length) % places.length];
    if (next) this.open(next.view.channel.name, next.peer);
  }

  /** Connects again after the server turned this client away. */
  reconnect(): void {
    const before = this.views.value;
    const channels = before.map((view) => view.channel.name);
    const { value: state } = this.connection;
    if (!this.#credentials) return;
    for (const view of before) view.keep();
    this.#wanted = { peer: this.active.value?.privateTo.value };
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

  #resume(saved: Session, token?: string): void {
    const { channels, known, ...credentials } = saved;
    this.#connect(credentials, known, token);
    this.views.value = channels.map((name) => this.#view(name));
    const name = this.activeName.value ?? channels[0];
    if (name !== undefined) this.#openWanted(name);
  }

  /** The channel's view, which is made when there is none: with what was written there, where it was left. */
  #keep(name: string): void {
    if (this.#has(name)) return;
    const view = this.#view(name);
    const others = this.views.value;
    const left = this.departure.take(name);
    if (left) view.inherit(left.view, left.outbox);
    const index = left?.index ?? others.length;
    this.views.value = [...others.slice(0, index), view, ...others.slice(index)];
    this.#save();
  }

  /** Without a token users name themselves; with one, the server names them. */
  #connect(
    credentials: Credentials,
    known = credentials.token ? "" : credentials.user,
    token = credentials.token,
  ): void {
    this.client.value?.close();
    this.#forget();
    this.#credentials = credentials;
    const { user, login } = credentials;
    this.lastUser = user;
    const client = new Client({
      url: address("ws"),
      client: "parley-page",
      // Only a window of them is drawn.
      channels: { keep: MAX_HELD },
      ...(user === "" ? {} : { user }),
      ...(token === undefined ? {} : { token }),
      ...(login ? { getToken: fetchToken, getChannelToken: fetchChannelToken } : {}),
    });
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
    const reason = refusalOf(error);
    if (!reason) return; // stays on the page, which offers to connect again
    const asked = this.#credentials?.token !== undefined;
    if (reason === "unauthenticated") this.needsToken.value = true;
    this.way.value = "form";
    this.signInError.value = reason === "unauthenticated" && !asked ? "tokenHint" : reason;
    const saved = tab.get("session", isSession);
    if (saved?.known !== undefined) this.#interrupted = saved;
    saveSession(undefined);
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
    this.departure.forget();
    this.announced.value = undefined;
  }

  #view(name: string): ChannelView {
    const channel = this.client.value!.channel(name);
    const view = new ChannelView(channel, {
      user: this.user,
      open: (peer) => this.open(name, peer),
      arrived: async (message, peer, mentioned) => {
        await readable(message.body); // or it would be told with its marks, and then again
        // By then, and when it is clicked, it may have been left, or somebody else be signed in.
        const here = () => this.views.value.includes(view);
        if (!here()) return;
        // What everybody writes is not read out where one is with one user alone.
        if (view === this.active.value && (peer ?? view.privateTo.value) === peer) this.announced.value = message;
        this.attention.notify(message, peer, mentioned, () => here() && this.open(name, peer));
      },
    });
    if (this.user.value !== "") view.restore(this.user.value);
    void channel.join(); // the channel's state says how it went
    return view;
  }

  #save(): void {
    if (!this.#credentials) return;
    const channels = this.views.value.map((view) => view.channel.name);
    const known = this.user.value === "" ? {} : { known: this.user.value };
    saveSession({ ...this.#credentials, channels, ...known });
  }
}
