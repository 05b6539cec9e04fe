import { useState } from "preact/hooks";
import { t } from "../state/i18n.ts";
import type { ChannelView } from "../state/view.ts";
import { Text } from "./Text.tsx";

/** What the channel is about: one line of it, or all. */
export function Topic({ view }: { view: ChannelView }) {
  void view.version;
  const [open, setOpen] = useState(false);
  const { topic } = view.channel.settings;
  if (!topic) return null;
  return (
    <button
      type="button"
      class={open ? "quiet topic open" : "quiet topic"}
      aria-expanded={open}
      title={topic}
      onClick={() => setOpen(!open)}
      dir="auto"
    >
      {topic}
    </button>
  );
}

/** Who is typing for everybody; nobody has it read out. */
export function Typing({ view }: { view: ChannelView }) {
  const typing = view.privateTo.value === undefined ? view.moderation.typing.value : [];
  const [user, other, third] = typing;
  return (
    <p class="typing muted">
      {third !== undefined ? (
        t("typingMany")
      ) : user === undefined ? null : other === undefined ? (
        <Text of="typing" with={{ user }} />
      ) : (
        <Text of="typingTwo" with={{ user, other }} />
      )}
    </p>
  );
}
