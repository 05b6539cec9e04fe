import { backoff } from "./backoff.js";
import { Channel } from "./channel.js";
import type { ChannelOptions } from "./channel-types.js";
import { Connection, type Answer, type WebSocketClass } from "./connection.js";
import { Emitter } from "./emitter.js";
import { ErrorCode, isTransient, ParleyError } from "./errors.js";
import type { HelloResult, Push } from "./protocol.js";
import { handled, tooLate, Waiters, type WaitOptions } from "./wait.js";

/** Where to connect, and as whom. */
export interface ClientOptions {
  /** The connector: `wss://host/ws`, or `https://host` for short. */
  url: string;
  /** The user's name, where the server does not authenticate. */
  user?: string;
  /** A JWT, or what fetches a fresh one for every connection. */
  token?: string | (() => string | Promise<string>);
  /** Names the program in the server's log. */
  client?: string;
  /** The class to connect with, where there is no global one: that of `ws`. */
  WebSocket?: WebSocketClass;
  /** What channels use that do not say otherwise. */
  channels?: ChannelOptions;
  /** Gets a line of text for whatever the connection does; for example `console.debug`. */
  debug?: (line: string) => void;
}

/** What the connection is doing. */
export type ClientState =
  | { status: "idle" }
  | { status: "connecting" }
  | { status: "online" }
  /** Connects again at `retryAt` (ms since the Unix epoch). */
  | { status: "waiting"; retryAt: number; code: number; reason: string }
  /** Does not connect again by itself; `error` says why, unless `close` was called. */
  | { status: "closed"; error?: ParleyError };

/** The events of a {@link Client}, and what each passes to its listeners. */
export type ClientEvents = {
  /** `state` changed. */
  state: ClientState;
  /** The server shuts down in about `after` milliseconds; the client moves by itself. */
  drain: { after: number };
};

/** An established connection this old resets the back-off. */
const STABLE_AFTER = 5_000;
/** Close codes: others wait for the place, and the user has too many connections. */
const TRY_LATER = 3014;
const TOO_MANY = 3504;
/** How long a token may take. */
const TOKEN_WITHIN = 10_000;
/** How long the close may take that follows a refused token. */
const CLOSE_WITHIN = 2_000;

/**
 * A user's connection to Parley. It reconnects by itself and brings its
 * channels back to where they were; one object serves for as long as the
 * application runs.
 */
export class Client extends Emitter<ClientEvents> {
  readonly #url: string;
  readonly #options: ClientOptions;
  readonly #WebSocket: WebSocketClass;
  readonly #channels = new Map<string, Channel>();

  #state: ClientState = { status: "idle" };
  #session: HelloResult | undefined;
  #connection: Connection | undefined;
  readonly #waiters = new Waiters();
  #attempt = 0;
  /** When the connection was established, by the clock that nobody sets; 0 without one. */
  #since = 0;
  #trouble: string | undefined;
  #draining = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #drain: ReturnType<typeof setTimeout> | undefined;
  #unwatch: (() => void) | undefined;

  /** Connects to nothing yet; throws where the address is not a URL, or there is no WebSocket class. */
  constructor(options: ClientOptions) {
    super();
    this.#url = endpoint(options.url);
    this.#options = options;
    const found = options.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined);
    if (!found) throw new TypeError("no WebSocket here: pass the class of the package ws");
    this.#WebSocket = found;
  }

  /** What the connection is doing. */
  get state(): ClientState {
    return this.#state;
  }

  /** What the server reported about the newest session. */
  get session(): HelloResult | undefined {
    return this.#session;
  }

  /** The channels that were asked for and not left, by name. */
  get channels(): ReadonlyMap<string, Channel> {
    return this.#channels;
  }

  /**
   * Connects; resolves when online, rejects when the server turns the client
   * away. It tries for as long as that takes: a timeout ends the wait alone and
   * says why there is no connection, {@link close} ends the attempts.
   */
  connect(options: WaitOptions = {}): Promise<void> {
    if (this.#state.status === "online") return Promise.resolve();
    const online = this.#waiters.add(options, (within) =>
      tooLate("not connected", within, this.#trouble),
    );
    if (this.#state.status === "idle" || this.#state.status === "closed") {
      this.#unwatch = watchNetwork(() => this.wake());
      this.#attempt = 0;
      void this.#open();
    }
    return online;
  }

  /** The channel of that name; the options count when it is made. */
  channel(name: string, options?: ChannelOptions): Channel {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = new Channel(name, this.#link, { ...this.#options.channels, ...options });
      this.#channels.set(name, channel);
    }
    return channel;
  }

  /** The channel of that name, joined. Connects when that was not done. */
  join(name: string, options: ChannelOptions & WaitOptions = {}): Promise<Channel> {
    const channel = this.channel(name, options);
    const both = Promise.all([this.connect(options), channel.join(options)]);
    return handled(both.then(() => channel));
  }

  /** Extends the session with a fresh token. */
  refresh(): Promise<void> {
    return handled(this.#refresh());
  }

  async #refresh(): Promise<void> {
    const params = await this.#hello();
    await new Promise<void>((resolve, reject) => {
      this.#request<HelloResult>("hello", params, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Leaves at once and for good; what was not acknowledged is rejected. */
  close(): void {
    this.#shut(new ParleyError(ErrorCode.Closed, "the client was closed"), 1000, {
      status: "closed",
    });
  }

  /** Tries now instead of waiting, and checks that the connection is alive. */
  wake(): void {
    if (this.#state.status === "waiting") void this.#open();
    else if (this.#state.status === "online") this.#connection?.probe();
  }

  readonly #link = ((client: Client) => ({
    get online() {
      return client.#state.status === "online";
    },
    get user() {
      return client.#session?.user;
    },
    get limits() {
      return client.#session?.limits;
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
    adopt(channel: Channel) {
      const { name } = channel;
      const closed = client.#state.status === "closed";
      if (closed) return new ParleyError(ErrorCode.Closed, "connect the client first");
      if (!client.#channels.has(name)) client.#channels.set(name, channel);
      if (client.#channels.get(name) === channel) return undefined;
      return new ParleyError(ErrorCode.Closed, `left; client.channel("${name}") is in use now`);
    },
    forget(channel: Channel) {
      const known = client.#channels.get(channel.name) === channel;
      return known && client.#channels.delete(channel.name);
    },
    has(name: string) {
      return client.#channels.has(name);
    },
  }))(this);

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
    this.#retry = setTimeout(() => this.#wait(0, "no token in time"), TOKEN_WITHIN);
    try {
      params = await this.#hello();
    } catch (error) {
      if (this.#state !== connecting) return;
      return this.#wait(0, `no token: ${String(error)}`);
    }
    if (this.#state !== connecting) return;
    clearTimeout(this.#retry);
    try {
      this.#connect(params);
    } catch (cause) {
      const text = `cannot connect to ${shown(this.#url)}: ${(cause as Error).message}`;
      const error = new ParleyError(ErrorCode.BadAddress, text);
      this.#shut(error, 0, { status: "closed", error });
    }
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
      closed: (code, reason) => {
        if (this.#connection === connection) this.#lost(code, reason, refused);
      },
    });
    this.#connection = connection;
  }

  async #hello(): Promise<object> {
    const { token, user, client = "parley-sdk" } = this.#options;
    const fresh = typeof token === "function" ? await token() : token;
    return { client, ...(user === undefined ? {} : { user }), ...(fresh ? { token: fresh } : {}) };
  }

  #established(session: HelloResult, connection: Connection): void {
    this.#session = session;
    this.#since = performance.now();
    this.#trouble = undefined;
    const { pipeline, frame } = session.limits;
    connection.established({ ping: session.ping, pipeline, frame });
    this.#setState({ status: "online" });
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
    if (error.code === ErrorCode.Unauthenticated && typeof this.#options.token === "function") {
      // A token that has run out closes with a code that asks for a fresh one.
      const final: ClientState = { status: "closed", error };
      this.#retry = setTimeout(() => this.#shut(error, 1000, final), CLOSE_WITHIN);
      return error;
    }
    // It is the end of this user's connections, not of the rights.
    const tooMany = error.code === ErrorCode.Forbidden && error.data.limit !== undefined;
    const final = tooMany ? new ParleyError(TOO_MANY, error.message, error.data) : error;
    this.#shut(final, 1000, { status: "closed", error: final });
  }

  #pushed(push: Push): void {
    if (push.method !== "drain") {
      // A later server may have more of them.
      const known = /^(chat|joined|left|presence)$/.test(push.method);
      if (known) this.#channels.get(push.params?.channel)?.push(push);
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

  #lost(code: number, reason: string, refused?: ParleyError): void {
    if (!mayReconnect(code)) {
      const why = code === TOO_MANY ? "too many connections" : "the server closed the connection";
      const text = reason || `${why} (${code})`;
      const error = refused ?? new ParleyError(code, text);
      return this.#shut(error, code, { status: "closed", error });
    }
    const stable = this.#since > 0 && performance.now() - this.#since > STABLE_AFTER;
    if (stable || this.#draining) this.#attempt = 0;
    this.#wait(code, reason);
  }

  #wait(code: number, reason: string): void {
    this.#disconnect();
    const spread = backoff(this.#attempt++);
    const wait = Math.round(code === TRY_LATER ? 5_000 + 15_000 * Math.random() : spread);
    this.#retry = setTimeout(() => void this.#open(), wait);
    this.#trouble = reason || `closed with ${code}`;
    this.#setState({ status: "waiting", retryAt: Date.now() + wait, code, reason });
    for (const channel of this.#channels.values()) channel.disconnected();
  }

  #disconnect(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#drain);
    this.#connection = undefined;
    this.#since = 0;
    this.#draining = false;
  }

  #shut(error: ParleyError, code: number, state: ClientState): void {
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
    this.#options.debug?.(`${shown(this.#url)}: ${describe(state)}`);
    this.emit("state", state);
  }
}

function describe(state: ClientState): string {
  switch (state.status) {
    case "waiting":
      return `waiting for ${state.retryAt - Date.now()} ms (${state.code}: ${state.reason})`;
    case "closed":
      return state.error ? `closed (${state.error.code}: ${state.error.message})` : "closed";
  }
  return state.status;
}

/** An address for people to read, without what may be secret in it. */
function shown(address: string): string {
  const url = new URL(address);
  url.username = url.password = url.search = "";
  return url.href;
}

/** Accepts the address of the server for that of its socket. */
function endpoint(address: string): string {
  const url = new URL(address);
  url.protocol = url.protocol.replace(/^http/, "ws");
  if (url.pathname.endsWith("/")) url.pathname += "ws";
  url.hash = "";
  return url.href;
}

/** Reports whether a close code asks for a reconnect, or is a plain cut. */
export function mayReconnect(code: number): boolean {
  // Binary frames, bad UTF-8, frames too large: they would be sent again.
  return code < 3500 && code !== 1003 && code !== 1007 && code !== 1009;
}

/** Calls back when a browser is online again or the page is looked at again. */
function watchNetwork(wake: () => void): () => void {
  if (typeof window === "undefined" || typeof document === "undefined") return () => {};
  const visible = () => {
    if (document.visibilityState === "visible") wake();
  };
  window.addEventListener("online", wake);
  document.addEventListener("visibilitychange", visible);
  return () => {
    window.removeEventListener("online", wake);
    document.removeEventListener("visibilitychange", visible);
  };
}
