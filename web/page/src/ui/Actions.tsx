import type { Message } from "@parley-chat/sdk";
import { t, type Key } from "../state/i18n.ts";
import type { ChannelView } from "../state/view.ts";
import { Icon } from "./Icon.tsx";
import { AtHand, Who } from "./Reactions.tsx";

interface Props {
  view: ChannelView;
  message: Message;
  close(): void;
}

/** What one can do to a message. */
export function Actions({ view, message, close }: Props) {
  void view.version;
  const { changes, channel } = view;
  if (!changes.possible(message)) return null;
  const pinned = channel.settings.pins.includes(message.seq);
  const able = (action: string) => !channel.forbidden.has(action);
  const action = (text: Key, icon: Parameters<typeof Icon>[0]["name"], act: () => void) => (
    <button
      type="button"
      onClick={() => {
        close();
        act();
      }}
    >
      <Icon name={icon} /> {t(text)}
    </button>
  );
  return (
    <div class="message-actions">
      {able("react") && <AtHand view={view} message={message} done={close} />}
      <div class="choices">
        {able(message.to === undefined ? "chat" : "private") &&
          action("reply", "reply", () => view.replyTo(message))}
        {changes.may(message) && action("edit", "edit", () => changes.edit(message))}
        {changes.may(message) && action("remove", "bin", () => changes.delete(message))}
        {changes.moderates.value &&
          message.to === undefined &&
          action(pinned ? "unpin" : "pin", "pin", () => changes.pin(message, pinned))}
      </div>
      {message.reactions && <Who view={view} message={message} />}
    </div>
  );
}
