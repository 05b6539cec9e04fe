import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { favourites, findEmoji, loadEmoji, used, type Emoji } from "../state/emoji.ts";
import { language, t } from "../state/i18n.ts";
import { excessOf } from "../state/long.ts";

/** Emoji in a row of the grid. */
const ROW = 8;
/** Bytes that the name of a reaction has at most. */
const MAX_REACTION = 64;

interface Props {
  choose(emoji: string): void;
  /** Whether any other short text may be chosen, too. */
  words?: boolean;
}

/** All emoji by group and by name, with arrows from one to the next. They are loaded when this is shown. */
export function EmojiPicker({ choose, words = false }: Props) {
  const part = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [groups, setGroups] = useState<readonly Emoji[][]>([]);
  const [group, setGroup] = useState(-1);
  const [text, setText] = useState("");
  const [first] = useState(favourites);
  useLayoutEffect(() => field.current?.focus(), []);
  useEffect(() => {
    // Without them there are those that people use most.
    loadEmoji().then(setGroups, () => {});
  }, [language.value]);
  const plain = first.map((emoji): Emoji => [emoji, nameOf(groups, emoji), ""]);
  const wanted = text.trim();
  const shown = wanted === "" ? (groups[group] ?? plain) : findEmoji(groups, wanted);
  const take = (emoji: string) => {
    used(emoji);
    choose(emoji);
  };
  const word = words && wanted !== "" && excessOf(wanted, MAX_REACTION) <= 0;
  return (
    <div class="picker" ref={part}>
      <form
        class="other"
        onSubmit={(event) => {
          event.preventDefault();
          if (shown[0]) take(shown[0][0]);
          else if (word) choose(wanted);
        }}
      >
        <input
          ref={field}
          aria-label={t(words ? "otherReaction" : "findEmoji")}
          placeholder={t(words ? "otherReaction" : "findEmoji")}
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "ArrowDown") return;
            event.preventDefault();
            part.current?.querySelector<HTMLElement>(".grid [tabindex='0']")?.focus();
          }}
        />
        {word && (
          <button type="button" onClick={() => choose(wanted)}>
            {t("react")}
          </button>
        )}
      </form>
      {groups.length > 0 && wanted === "" && (
        <div class="groups" role="group" aria-label={t("emojiGroups")}>
          {[undefined, ...groups].map((one, i) => (
            <button
              key={i}
              type="button"
              class="emoji"
              aria-label={one ? one[0]![1] : t("favourites")}
              aria-pressed={group === i - 1}
              onClick={() => setGroup(i - 1)}
            >
              {one ? one[0]![0] : "🕘"}
            </button>
          ))}
        </div>
      )}
      <Grid key={wanted === "" ? group : wanted} emoji={shown} take={take} />
      <p class="unseen" role="status">
        {wanted !== "" && t("emojiFound", { n: shown.length })}
      </p>
    </div>
  );
}

function Grid({ emoji, take }: { emoji: readonly Emoji[]; take(emoji: string): void }) {
  const grid = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState(0);
  const onKeyDown = (event: KeyboardEvent) => {
    const to = at + ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -ROW, ArrowDown: ROW }[event.key] ?? NaN);
    if (!(to >= 0 && to < emoji.length)) return;
    event.preventDefault();
    setAt(to);
    (grid.current?.children[to] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class="grid" ref={grid} role="group" aria-label={t("emoji")} onKeyDown={onKeyDown}>
      {emoji.map(([emoji, name], i) => (
        <button
          key={emoji}
          type="button"
          class="emoji"
          tabIndex={i === at ? 0 : -1}
          aria-label={name}
          title={name}
          onClick={() => take(emoji)}
        >
          {emoji}
        </button>
      ))}
    </div>
  );
}

/** What an emoji is called, once that is known. */
function nameOf(groups: readonly Emoji[][], emoji: string): string {
  for (const group of groups) {
    const found = group.find(([one]) => one === emoji);
    if (found) return found[1];
  }
  return emoji;
}
