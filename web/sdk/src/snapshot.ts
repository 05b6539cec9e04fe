import type { Channel } from "./channel.js";
import type { ChannelSnapshot } from "./channel-types.js";

/** A channel as it is now; lists that did not change are those of the snapshot before. */
export function snapshot<Data>(
  channel: Channel<Data>,
  before: ChannelSnapshot<Data> | undefined,
): ChannelSnapshot<Data> {
  const { state, error, messages, outbox, gaps, members, count } = channel;
  const { hasOlder, settings, sanction, forbidden } = channel;
  return {
    ...{ state, error, count, hasOlder, settings, sanction },
    messages: copied(messages, before?.messages),
    members: copied(members, before?.members),
    outbox: outbox.map((one) => ({ ...one })),
    gaps: gaps.map((one) => ({ ...one })),
    forbidden: new Set(forbidden),
  };
}

function copied<T>(list: readonly T[], before: readonly T[] | undefined): readonly T[] {
  const same = before?.length === list.length && list.every((one, i) => one === before[i]);
  return same ? before : [...list];
}
