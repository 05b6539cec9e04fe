import { backoff } from "./backoff.js";
import { Channel } from "./channel.js";
import type { ChannelOptions } from "./channel-types.js";
import { Connection, type Answer, type WebSocketClass } from "./connection.js";
import { Emitter } from "./emitter.js";
import { ErrorCode, isTransient, ParleyError } from "./errors.js";
import type { HelloResult, Push } from "./protocol.js";

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
}

export type ClientState =
  | { status: "idle" }
  | { status: "connecting" }
  | { status: "online" }
  /** Connects again at `retryAt` (ms since the Unix epoch). */
  | { status: "waiting"; retryAt: number; code: number; reason: string }
  /** Does not connect again by itself; `error` says why, unless `close` was called. */
  | { status: "closed"; error?: ParleyError };

export type ClientEvents = {
  state: ClientState;
  /** The server is about to shut down; the client moves by itself. */
  drain: { after: number };
};

/** An established connection this old starts the back-off anew. */
const STABLE_AFTER = 5_000;

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
  #waiters: { resolve(): void; reject(error: ParleyError): void }[] = [];
  #attempt = 0;
  #since = 0;
  #draining = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #drain: ReturnType<typeof setTimeout> | undefined;
  #unwatch: (() => void) | undefined;

  constructor(options: ClientOptions) {
    super();
    this.#url = endpoint(options.url);
    this.#options = options;
    const found = options.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined);
    if (!found) throw new TypeError("no WebSocket here: pass the class of the package ws");
    this.#WebSocket = found;
  }

  get state(): ClientState {
    return this.#state;
  }

  /** What the server said about the newest session. */
  get session(): HelloResult | undefined {
    return this.#session;
  }

  get channels(): ReadonlyMap<string, Channel> {
    return this.#channels;
  }

  /** Connects; resolves when online, rejects when the server turns the client away. */
  connect(): Promise<void> {
    if (this.#state.status === "online") return Promise.resolve();
    const online = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
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
  async join(name: string, options?: ChannelOptions): Promise<Channel> {
    const channel = this.channel(name, options);
    await Promise.all([this.connect(), channel.join()]);
    return channel;
  }

  /** Extends the session with a fresh token. */
  async refresh(): Promise<void> {
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
    forget(channel: Channel) {
      if (client.#channels.get(channel.name) === channel) client.#channels.delete(channel.name);
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
    try {
      params = await this.#hello();
    } catch (error) {
      if (this.#state !== connecting) return;
      return this.#wait(0, `no token: ${String(error)}`);
    }
    if (this.#state !== connecting) return;
    const connection = new Connection(this.#url, this.#WebSocket, {
      opened: () =>
        connection.request<HelloResult>("hello", params, (error, session) => {
          if (error) this.#turnedAway(error, connection);
          else this.#established(session, connection);
        }),
      pushed: (push) => this.#pushed(push),
      closed: (code, reason) => this.#lost(code, reason),
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
    this.#since = Date.now();
    const { pipeline, frame } = session.limits;
    connection.established({ ping: session.ping, pipeline, frame });
    this.#setState({ status: "online" });
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
    for (const channel of this.#channels.values()) channel.connected();
  }

  /** `hello` was answered with an error: only some of them may pass by themselves. */
  #turnedAway(error: ParleyError, connection: Connection): void {
    if (error.code === ErrorCode.Disconnected) return;
    if (isTransient(error) || error.code === ErrorCode.Internal) {
      return connection.close(3000, error.message);
    }
    this.#shut(error, 1000, { status: "closed", error });
  }

  #pushed(push: Push): void {
    if (push.method !== "drain") {
      this.#channels.get(push.params.channel)?.push(push);
      return;
    }
    const { after } = push.params;
    this.#draining = true;
    // Spread around the time asked for, so that not everybody moves at once.
    const wait = after * (0.75 + 0.5 * Math.random());
    clearTimeout(this.#drain);
    this.#drain = setTimeout(() => this.#connection?.close(3001, "drained"), wait);
    this.emit("drain", { after });
  }

  #lost(code: number, reason: string): void {
    if (this.#state.status === "closed") return;
    if (!mayReconnect(code)) {
      const error = new ParleyError(code, reason || `the server closed the connection (${code})`);
      return this.#shut(error, code, { status: "closed", error });
    }
    const stable = this.#since > 0 && Date.now() - this.#since > STABLE_AFTER;
    if (stable || this.#draining) this.#attempt = 0;
    this.#wait(code, reason);
  }

  #wait(code: number, reason: string): void {
    this.#disconnect();
    const wait = backoff(this.#attempt++);
    this.#retry = setTimeout(() => void this.#open(), wait);
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
    this.#setState(state);
    if (code === 1000) connection?.close(1000);
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    for (const channel of this.#channels.values()) channel.closed(error);
  }

  #setState(state: ClientState): void {
    this.#state = state;
    this.emit("state", state);
  }
}

/** Accepts the address of the server for that of its socket. */
function endpoint(address: string): string {
  const url = new URL(address);
  url.protocol = url.protocol.replace(/^http/, "ws");
  if (url.pathname === "/") url.pathname = "/ws";
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
