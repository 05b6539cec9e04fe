import { backoff } from "./backoff.js";
import type { ChannelOptions, Link, Served } from "./channel-types.js";
import type { ClientEvents, ClientOptions, ClientState } from "./client-types.js";
import { Connection, type Answer, type WebSocketClass } from "./connection.js";
import { Emitter } from "./emitter.js";
import { ErrorCode, isTransient, isUnauthorized, otherUser, ParleyError } from "./errors.js";
import { endpoint, mayReconnect, shown, watchNetwork } from "./network.js";
import type { HelloResult, Push } from "./protocol.js";
import { Token } from "./token.js";
import { answered, bounded, handled, Waiters, type WaitOptions } from "./wait.js";

/** An established connection this old resets the back-off. */
const STABLE_AFTER = 5_000;
/** Close codes: the token has run out, others wait for the place, the token is not accepted, the user has too many connections. */
const EXPIRED = 3005;
const TRY_LATER = 3014;
const BAD_TOKEN = 3500;
const TOO_MANY = 3504;
/** How long a token may take. */
const TOKEN_WITHIN = 10_000;
/** How long the close may take that follows a refused token. */
const CLOSE_WITHIN = 2_000;

/** A connection and its channels, whatever these can do: what every client is. */
export abstract class BaseClient<Room extends Served> extends Emitter<ClientEvents> {
  readonly #url: string;
  readonly #options: ClientOptions;
  readonly #WebSocket: WebSocketClass;
  readonly #channels = new Map<string, Room>();
  readonly #token: Token;

  #state: ClientState = { status: "idle" };
  #session: HelloResult | undefined;
  #connection: Connection | undefined;
  readonly #waiters = new Waiters();
  #attempt = 0;
  /** When the connection was established, by the clock that nobody sets; 0 without one. */
  #since = 0;
  #trouble: ParleyError | undefined;
  #draining = false;
  /** Whether the token was replaced since the last connection that lasted. */
  #replaced = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #drain: ReturnType<typeof setTimeout> | undefined;
  #unwatch: (() => void) | undefined;

  /** Connects to nothing yet; throws where the address is not a URL, or there is no WebSocket class. */
  constructor(options: ClientOptions) {
    super();
    this.#url = endpoint(options.url);
    this.#options = options;
    const { token, getToken } = options;
    const fixed = typeof token === "string" ? token : undefined;
    this.#token = new Token(getToken ?? (typeof token === "function" ? token : undefined), fixed);
    const found = options.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined);
    if (!found) throw new TypeError("no WebSocket: pass the class of ws");
    this.#WebSocket = found;
  }

  /** What the connection is doing. */
  get state(): ClientState {
    return this.#state;
  }

  /** The state, an object that never changes: for React's `useSyncExternalStore`, as it is. */
  readonly getSnapshot = (): ClientState => this.#state;

  /** Calls listener whenever {@link getSnapshot} has news, until the returned function is called. */
  readonly subscribe = (listener: () => void): (() => void) => this.on("state", () => listener());

  /** What the server reported about the newest session. */
  get session(): HelloResult | undefined {
    return this.#session;
  }

  /** The channels that were asked for and not left, by name. */
  get channels(): ReadonlyMap<string, Room> {
    return this.#channels;
  }

  /**
   * Connects; resolves when online, rejects when the server turns the client
   * away. It tries for as long as that takes: a timeout ends the wait alone and
   * says why there is no connection, {@link close} ends the attempts.
   */
  connect(options: WaitOptions = {}): Promise<void> {
    if (this.#state.status === "online") return Promise.resolve();
    const online = this.#waiters.add(options, "not connected", () => this.#trouble);
    if (this.#state.status === "idle" || this.#state.status === "closed") {
      this.#unwatch = watchNetwork(() => this.wake());
      this.#attempt = 0;
      this.#replaced = false;
      void this.#open();
    }
    return online;
  }

  /** Makes a channel. @internal */
  protected abstract make(name: string, link: Link, options: ChannelOptions): Room;

  /** The channel of that name; the options count when it is made. */
  channel(name: string, options?: ChannelOptions): Room {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = this.make(name, this.#link, { ...this.#options.channels, ...options });
      this.#channels.set(name, channel);
    }
    return channel;
  }

  /** The channel of that name, joined. Connects when that was not done. */
  join(name: string, options: ChannelOptions & WaitOptions = {}): Promise<Room> {
    const channel = this.channel(name, options);
    const both = Promise.all([this.connect(options), channel.join(options)]);
    return handled(both.then(() => channel));
  }

  /** Extends the session with a fresh token, which counts from then on. */
  refresh(options: WaitOptions = {}): Promise<void> {
    return bounded(this.#refresh(), options, "no fresh token", () => this.#trouble);
  }

  async #refresh(): Promise<void> {
    const connection = this.#connection;
    try {
      const params = this.#hello(await this.#token.renew());
      if (connection !== this.#connection) return; // the next hello brings it
      const session = await answered<HelloResult>((answer) => {
        this.#request("hello", params, answer);
      });
      this.#session = session;
      this.#token.watch(() => this.#refresh());
      for (const channel of this.#channels.values()) channel.refreshed();
    } catch (error) {
      const { code } = error as ParleyError;
      this.#options.debug?.(`${shown(this.#url)}: no fresh token: ${String(error)}`);
      if (isUnauthorized(error)) this.#loggedOut(error);
      else if (code === ErrorCode.Forbidden) this.#shut(otherUser(), 1000);
      throw error;
    }
  }

  /** Leaves at once and for good; what was not acknowledged is rejected. */
  close(): void {
    this.#shut(new ParleyError(ErrorCode.Closed, "the client was closed"), 1000, { status: "closed" });
  }

  /** Tries now instead of waiting, and checks that the connection is alive. */
  wake(): void {
    if (this.#state.status === "waiting") void this.#open();
    else if (this.#state.status === "online") this.#connection?.probe();
  }

  readonly #link = ((client: BaseClient<Room>): Link => ({
    get online() {
      return client.#state.status === "online";
    },
    get user() {
      return client.#session?.user;
    },
    get limits() {
      return client.#session?.limits;
    },
    get getToken() {
      return client.#options.getChannelToken;
    },
    request<Result>(method: string, params: object, answer: Answer<Result>) {
      client.#request(method, params, answer);
    },
    reconnect(reason: string) {
      client.#connection?.close(3000, reason);
    },
    get trouble() {
      return client.#trouble;
    },
    adopt(channel: Served) {
      const { name } = channel;
      const closed = client.#state.status === "closed";
      if (closed) return new ParleyError(ErrorCode.Closed, "connect the client first");
      if (!client.#channels.has(name)) client.#channels.set(name, channel as Room);
      if (client.#channels.get(name) === channel) return undefined;
      return new ParleyError(ErrorCode.Closed, `left; client.channel("${name}") is in use now`);
    },
    forget(channel: Served) {
      const known = client.#channels.get(channel.name) === channel;
      return known && client.#channels.delete(channel.name);
    },
    has(name: string) {
      return client.#channels.has(name);
    },
  }))(this);

  /** @internal */
  protected ask<Result>(method: string, params: object, answer: Answer<Result>): void {
    this.#request(method, params, answer);
  }

  #request<Result>(method: string, params: object, answer: Answer<Result>): void {
    if (this.#connection && this.#state.status === "online") {
      return this.#connection.request(method, params, answer);
    }
    answer(new ParleyError(ErrorCode.Disconnected, "not connected"), undefined as never);
  }

  async #open(): Promise<void> {
    clearTimeout(this.#retry);
    this.#setState({ status: "connecting" });
    const connecting = this.#state;
    let params: object;
    const late = () => this.#wait(ErrorCode.NoToken, "no token in time");
    this.#retry = setTimeout(late, TOKEN_WITHIN);
    try {
      params = this.#hello(await this.#token.get());
    } catch (error) {
      if (this.#state !== connecting) return;
      if (isUnauthorized(error)) return this.#loggedOut(error);
      return this.#wait(ErrorCode.NoToken, `no token: ${String(error)}`, error);
    }
    if (this.#state !== connecting) return;
    clearTimeout(this.#retry);
    try {
      this.#connect(params);
    } catch (cause) {
      const text = `cannot connect to ${shown(this.#url)}: ${(cause as Error).message}`;
      const error = new ParleyError(ErrorCode.BadAddress, text, {}, { cause });
      this.#shut(error, 0);
    }
  }

  /** The application says that there is no token to be had. */
  #loggedOut(cause: Error): void {
    const text = cause.message || "nobody is logged in";
    this.#shut(new ParleyError(ErrorCode.LoggedOut, text, {}, { cause }), 1000);
  }

  #connect(params: object): void {
    let refused: ParleyError | undefined;
    const connection: Connection = new Connection(this.#url, this.#WebSocket, {
      opened: () =>
        connection.request<HelloResult>("hello", params, (error, session) => {
          if (error) refused = this.#turnedAway(error, connection);
          else this.#established(session, connection);
        }),
      pushed: (push) => this.#pushed(push),
      closed: (code, reason, cause) => {
        if (this.#connection === connection) this.#lost(code, reason, refused ?? cause);
      },
    });
    this.#connection = connection;
  }

  #hello(token: string | undefined): object {
    const { user, client = "parley-sdk" } = this.#options;
    return { client, user, token: token || undefined }; // what is undefined is not in the frame
  }

  #established(session: HelloResult, connection: Connection): void {
    // What waits to be sent is the words of the one before.
    if (this.#session && this.#session.user !== session.user) return this.#shut(otherUser(), 1000);
    this.#session = session;
    this.#since = performance.now();
    this.#trouble = undefined;
    connection.established(session);
    this.#setState({ status: "online" });
    this.#token.watch(() => this.#refresh());
    this.#waiters.settle();
    for (const channel of this.#channels.values()) channel.connected();
  }

  /**
   * `hello` was answered with an error: only some of them may pass by themselves.
   * Returns one of which the close that follows says whether it does.
   */
  #turnedAway(error: ParleyError, connection: Connection): ParleyError | undefined {
    if (error.code === ErrorCode.Disconnected) return;
    if (isTransient(error) || error.code === ErrorCode.Internal) {
      return void connection.close(3000, error.message);
    }
    if (error.code === ErrorCode.Unauthenticated && this.#token.renewable) {
      // A token that has run out closes with a code that asks for a fresh one.
      this.#retry = setTimeout(() => connection.close(BAD_TOKEN), CLOSE_WITHIN);
      return error;
    }
    // It is the end of this user's connections, not of the rights.
    const tooMany = error.code === ErrorCode.Forbidden && error.data.limit !== undefined;
    this.#shut(tooMany ? new ParleyError(TOO_MANY, error.message, error.data) : error, 1000);
  }

  #pushed(push: Push): void {
    if (push.method !== "drain") {
      // A later server may have more of them.
      const channel = this.#channels.get(push.params?.channel);
      if (push.method === "removed") channel?.removed(push.params);
      else if (push.method === "signal") channel?.signalled(push.params);
      else if (push.params?.seq) channel?.push(push);
      return;
    }
    const after = push.params?.after ?? 0;
    this.#draining = true;
    // Spread around the time asked for, so that not everybody moves at once.
    const wait = after * (0.75 + 0.5 * Math.random());
    clearTimeout(this.#drain);
    this.#drain = setTimeout(() => this.#connection?.close(3001, "drained"), wait);
    this.emit("drain", { after });
  }

  #lost(code: number, reason: string, cause?: unknown): void {
    const stable = this.#since > 0 && performance.now() - this.#since > STABLE_AFTER;
    if (stable) this.#replaced = false;
    const first = this.#replaceToken(code);
    if (!mayReconnect(code) && !first) {
      const why = code === TOO_MANY ? "too many connections" : "the server closed the connection";
      const refused = cause instanceof ParleyError;
      const error = refused ? cause : new ParleyError(code, reason || `${why} (${code})`);
      return this.#shut(error, code);
    }
    if (stable || this.#draining) this.#attempt = 0;
    if (!first || code === BAD_TOKEN) return this.#wait(code, reason, cause);
    this.#disconnect();
    void this.#open();
    this.#cut();
  }

  /**
   * Where it is the token that ended the connection, the next one is a fresh
   * one. Reports whether it is the first since a connection lasted: it may help
   * at once, and one that is refused although it is fresh will not.
   */
  #replaceToken(code: number): boolean {
    if (!this.#token.renewable || (code !== EXPIRED && code !== BAD_TOKEN)) return false;
    this.#token.drop();
    const first = !this.#replaced;
    this.#replaced = true;
    return first;
  }

  #wait(code: number, reason: string, cause?: unknown): void {
    this.#disconnect();
    let wait = Math.round(backoff(this.#attempt++));
    if (code === TRY_LATER) wait = Math.round(5_000 + 15_000 * Math.random());
    // A token is revoked by the second in which it was issued: the next one is of a later one.
    if (code === BAD_TOKEN) wait = Math.round(1_100 + 1_000 * Math.random());
    this.#retry = setTimeout(() => void this.#open(), wait);
    const text = reason || `closed with ${code}`;
    this.#trouble = new ParleyError(code, text, {}, cause ? { cause } : undefined);
    this.#setState({ status: "waiting", retryAt: Date.now() + wait, code, reason });
    this.#cut();
  }

  #cut(): void {
    for (const channel of this.#channels.values()) channel.disconnected();
  }

  #disconnect(): void {
    this.#token.unwatch();
    clearTimeout(this.#retry);
    clearTimeout(this.#drain);
    this.#connection = undefined;
    this.#since = 0;
    this.#draining = false;
  }

  #shut(error: ParleyError, code: number, state: ClientState = { status: "closed", error }): void {
    if (this.#state.status === "closed") return;
    const connection = this.#connection;
    this.#disconnect();
    this.#unwatch?.();
    this.#state = state;
    if (code === 1000) connection?.close(1000);
    this.#waiters.settle(error);
    for (const channel of this.#channels.values()) channel.closed(error);
    this.#setState(state); // last: whoever hears of it may connect again
  }

  #setState(state: ClientState): void {
    this.#state = state;
    this.#options.debug?.(`${shown(this.#url)}: ${JSON.stringify(state)}`);
    this.emit("state", state);
  }
}
