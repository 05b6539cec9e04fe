import type { Message } from "@parley-chat/sdk";
import type { App } from "../state/app.ts";
import { t, type Key } from "../state/i18n.ts";
import { peerOf } from "../state/reading.ts";
import { hashOf } from "../state/route.ts";
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
  const possible = changes.possible(message);
  const peer = peerOf(message, app.user.value);
  const link = new URL(hashOf(channel.name, peer, message), location.href).href;
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
      {possible && able("react") && <AtHand view={view} message={message} done={close} />}
      <div class="choices">
        {possible &&
          able(message.to === undefined ? "chat" : "private") &&
          action("reply", "reply", () => view.replyTo(message))}
        {message.user !== app.user.value &&
          message.to === undefined &&
          able("private") &&
          action("messageUser", "lock", () => view.writeTo(message.user))}
        {!silent && changes.may(message) && action("edit", "edit", () => changes.edit(message))}
        {changes.may(message) && action("remove", "bin", () => changes.delete(message))}
        {!message.deleted && action("copyText", "copy", () => void changes.copy(message.body))}
        {action("copyLink", "link", () => void changes.copy(link))}
        {possible &&
          changes.moderates.value &&
          message.to === undefined &&
          action(pinned ? "unpin" : "pin", "pin", () => changes.pin(message, pinned))}
      </div>
      {measures}
      {possible && message.reactions && <Who view={view} message={message} />}
    </div>
  );
}
