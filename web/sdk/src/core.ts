import { BaseClient } from "./base-client.js";
import type { ChannelOptions, Link } from "./channel-types.js";
import { CoreChannel } from "./core-channel.js";
import type { CoreOptions } from "./core-types.js";
import type { WaitOptions } from "./wait.js";

/** The client of this package, with channels that do less: see {@link CoreChannel}. */
export class Client extends BaseClient<CoreChannel> {
  /** @internal */
  protected make(name: string, link: Link, options: ChannelOptions): CoreChannel {
    return new CoreChannel(name, link, options);
  }
}

/** The same, where channels have a type for their data. */
export interface Client {
  /** The channel of that name; the options count when it is made. `Data` types the `data` of messages. */
  channel<Data = unknown>(name: string, options?: CoreOptions): CoreChannel<Data>;
  /** The channel of that name, joined. Connects when that was not done. */
  join<Data = unknown>(
    name: string,
    options?: CoreOptions & WaitOptions,
  ): Promise<CoreChannel<Data>>;
}

export { CoreChannel as Channel };
export { ErrorCode, ParleyError, UnauthorizedError, isTransient } from "./errors.js";
export type { CoreEvent, CoreEvents, CoreMessage, CoreOptions } from "./core-types.js";
export type { ClientEvents, ClientOptions, ClientState } from "./client-types.js";
export type { WaitOptions } from "./wait.js";
