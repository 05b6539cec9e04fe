import type { Message } from "@parley-chat/sdk";
import { t } from "../state/i18n.ts";
import { unmarked } from "../state/markup.ts";
import { hue, legible } from "../state/names.ts";
import type { ChannelView } from "../state/view.ts";
import { useStop } from "./current.ts";
import { Icon } from "./Icon.tsx";

/** Characters of a message that are quoted. */
const QUOTED = 160;

/** A message in a line. */
export function excerpt(message: Message): string {
  if (message.deleted) return t("quoteDeleted");
  const line = unmarked(message);
  return line.length > QUOTED ? `${line.slice(0, QUOTED)}…` : line;
}

/** The message that another one answers; a click goes there. */
export function Quote({ view, answer }: { view: ChannelView; answer: { reply?: number; epoch: string } }) {
  void view.version;
  const { changes } = view;
  const stop = useStop();
  const quoted = changes.quoted(answer);
  if (!quoted) {
    return (
      <span class="quote muted">
        <Icon name="reply" /> {t(quoted === null ? "quoteGone" : "quoteLoading")}
      </span>
    );
  }
  const { user, seq } = quoted;
  return (
    <button
      type="button"
      class="quote"
      tabIndex={stop}
      title={t("quoteJump", { user })}
      aria-label={t("quote", { user, body: excerpt(quoted) })}
      onClick={() => void changes.jump(seq)}
    >
      <Icon name="reply" /> <bdi class={hue(user)}>{legible(user)}</bdi>{" "}
      <bdi class="excerpt">{excerpt(quoted)}</bdi>
    </button>
  );
}
