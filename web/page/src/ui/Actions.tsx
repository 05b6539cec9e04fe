import type { Message } from "@parley-chat/sdk";
import type { App } from "../state/app.ts";
import { t, type Key } from "../state/i18n.ts";
import type { ChannelView } from "../state/view.ts";
import { Icon } from "./Icon.tsx";
import { Measures } from "./Moderate.tsx";
import { AtHand, Who } from "./Reactions.tsx";

interface Props {
  app: App;
  view: ChannelView;
  message: Message;
  close(): void;
}

/** What one can do to a message. */
export function Actions({ app, view, message, close }: Props) {
  void view.version;
  const { changes, channel } = view;
  const other = message.user !== app.user.value && changes.moderates.value && !view.shutOut;
  const measures = other && <Measures app={app} view={view} user={message.user} done={close} />;
  if (!changes.possible(message)) return measures || null;
  const silent = view.moderation.silence.value !== undefined;
  const pinned = channel.settings.pins.includes(message.seq);
  const able = (action: string) => !silent && !channel.forbidden.has(action);
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
        {!silent && changes.may(message) && action("edit", "edit", () => changes.edit(message))}
        {changes.may(message) && action("remove", "bin", () => changes.delete(message))}
        {changes.moderates.value &&
          message.to === undefined &&
          action(pinned ? "unpin" : "pin", "pin", () => changes.pin(message, pinned))}
      </div>
      {measures}
      {message.reactions && <Who view={view} message={message} />}
    </div>
  );
}
