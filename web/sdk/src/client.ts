import { BaseClient } from "./base-client.js";
import { Channel } from "./channel.js";
import type { ChannelOptions, Link } from "./channel-types.js";
import { search, type SearchQuery, type SearchResult } from "./search.js";
import type { WaitOptions } from "./wait.js";

/**
 * A user's connection to Parley. It reconnects by itself and brings its
 * channels back to where they were; one object serves for as long as the
 * application runs.
 */
export class Client extends BaseClient<Channel> {
  /** @internal */
  protected make(name: string, link: Link, options: ChannelOptions): Channel {
    return new Channel(name, link, options);
  }

  /** Finds messages by their words, newest first, in the channels that are joined or in one. */
  search<Data = unknown>(query: SearchQuery & WaitOptions): Promise<SearchResult<Data>> {
    return search((params, answer) => this.ask("search", params, answer), query);
  }
}

/** The same, where channels have a type for their data. */
export interface Client {
  /** The channel of that name; the options count when it is made. `Data` types the `data` of messages. */
  channel<Data = unknown>(name: string, options?: ChannelOptions): Channel<Data>;
  /** The channel of that name, joined. Connects when that was not done. */
  join<Data = unknown>(
    name: string,
    options?: ChannelOptions & WaitOptions,
  ): Promise<Channel<Data>>;
}
