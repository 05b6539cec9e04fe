import { useState } from "preact/hooks";
import { t } from "../state/i18n.ts";
import { beginning, matching } from "../state/mentions.ts";
import { hue, legible } from "../state/names.ts";
import type { ChannelView } from "../state/view.ts";

/** Completes names after an @, in a field whose text and cursor are given. */
export function useMentions(view: ChannelView, set: (text: string, cursor: number) => void) {
  const [cursor, setCursor] = useState<{ text: string; at: number } | undefined>(undefined);
  const [chosen, setChosen] = useState(0);
  const begun = cursor && view.channel.changeable ? beginning(cursor.text, cursor.at) : undefined;
  const names = begun ? matching(view.people, begun.prefix) : [];
  const at = Math.min(chosen, names.length - 1);
  const take = (name: string) => {
    const { text } = cursor!;
    const rest = text.slice(cursor!.at);
    const before = `${text.slice(0, begun!.at)}@${name}${rest.startsWith(" ") ? "" : " "}`;
    setCursor(undefined);
    set(before + rest, before.length + (rest.startsWith(" ") ? 1 : 0));
  };
  return {
    names,
    at,
    take,
    close: () => setCursor(undefined),
    /** The text or the cursor is another one. */
    follow: ({ value, selectionStart }: HTMLTextAreaElement) => {
      setCursor({ text: value, at: selectionStart });
      setChosen(0);
    },
    /** Reports whether a key was meant for the list. */
    key: (key: string): boolean => {
      const name = names[at];
      if (name === undefined) return false;
      if (key === "ArrowDown") setChosen((at + 1) % names.length);
      else if (key === "ArrowUp") setChosen((at + names.length - 1) % names.length);
      else if (key === "Enter" || key === "Tab") take(name);
      else if (key === "Escape") setCursor(undefined);
      else return false;
      return true;
    },
  };
}

/** The names that one may go on with. */
export function MentionList({ names, at, take }: ReturnType<typeof useMentions>) {
  return (
    <ul id="mentions" class="mentions" role="listbox" aria-label={t("mention")}>
      {names.map((name, i) => (
        <li
          key={name}
          id={`mention-${i}`}
          role="option"
          aria-selected={i === at}
          class={hue(name)}
          // Before the field loses the focus.
          onPointerDown={(event) => {
            event.preventDefault();
            take(name);
          }}
        >
          <bdi>{legible(name)}</bdi>
        </li>
      ))}
    </ul>
  );
}
