import type { Message, Reactor } from "@parley-chat/sdk";
import { useEffect, useState } from "preact/hooks";
import { AT_HAND } from "../state/emoji.ts";
import { t } from "../state/i18n.ts";
import { hue, legible } from "../state/names.ts";
import type { ChannelView } from "../state/view.ts";
import { useAsking } from "./asking.ts";
import { useStop } from "./current.ts";
import { EmojiPicker } from "./pickers.ts";
import { Text } from "./Text.tsx";

/** Names of the reactors that a tooltip has at most. */
const HINTED = 10;

/** How often people react to a message with each name; a click does so, too, or takes it back. */
export function Reactions({ view, message }: { view: ChannelView; message: Message }) {
  const { changes, channel } = view;
  const stop = useStop();
  const [who, setWho] = useState<Record<string, string>>({});
  const names = [...(message.reactions ?? []).map(({ name }) => name), ...changes.fresh(message)];
  const shown = names
    .map((name) => ({ name, ...changes.reaction(message, name) }))
    .filter(({ count }) => count > 0);
  useEffect(() => setWho({}), [message.reactions]);
  if (shown.length === 0 || message.deleted) return null;
  const silent = view.moderation.silence.value !== undefined;
  const able = changes.possible(message) && !silent && !channel.forbidden.has("react");
  const hint = (name: string) => {
    if (who[name] !== undefined || !changes.possible(message)) return;
    setWho((all) => ({ ...all, [name]: "" }));
    channel.reactions(message, { name, limit: HINTED }).then(
      ({ users, more }) => {
        const list = users.map(({ user }) => user).join(", ") + (more ? " …" : "");
        setWho((all) => ({ ...all, [name]: list }));
      },
      () => {}, // the number says enough
    );
  };
  return (
    <ul class="reactions" aria-label={t("reactions")}>
      {shown.map(({ name, count, on }) => (
        <li key={name}>
          <button
            type="button"
            class={on ? "reaction on" : "reaction"}
            tabIndex={stop}
            aria-pressed={on}
            aria-label={t(on ? "reactedToo" : "reacted", { name, n: count })}
            title={who[name] || undefined}
            disabled={!able}
            onPointerEnter={() => hint(name)}
            onFocus={() => hint(name)}
            onClick={() => changes.react(message, name)}
          >
            <bdi class="emoji">{name}</bdi> {count}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The six reactions at hand, and the way to others. */
export function AtHand({ view, message, done }: Choice) {
  const { changes } = view;
  const [all, setAll] = useState(false);
  const choose = (name: string) => {
    changes.react(message, name);
    done();
  };
  return (
    <>
      <div class="at-hand" role="group" aria-label={t("react")}>
        {AT_HAND.map((name) => (
          <button
            key={name}
            type="button"
            class="emoji"
            aria-label={t("reactWith", { name })}
            aria-pressed={changes.reaction(message, name).on}
            onClick={() => choose(name)}
          >
            {name}
          </button>
        ))}
        <button
          type="button"
          class="emoji"
          aria-label={t("otherReaction")}
          aria-expanded={all}
          onClick={() => setAll(!all)}
        >
          +
        </button>
      </div>
      {all && <EmojiPicker choose={choose} words />}
    </>
  );
}

interface Choice {
  view: ChannelView;
  message: Message;
  done(): void;
}

/** Who reacts to a message, by name of the reaction. */
export function Who({ view, message }: { view: ChannelView; message: Message }) {
  const [list, setList] = useState<{ users: Reactor[]; more: boolean }>({ users: [], more: false });
  const [askList, askMore] = [useAsking(), useAsking()];
  const refused = () => {}; // the numbers say enough meanwhile
  const load = () => askList(() => view.channel.reactions(message, { limit: 100 }), setList, refused);
  const loadMore = (after: Reactor) =>
    askMore(
      () => view.channel.reactions(message, { limit: 100, after }),
      ({ users, more }) =>
        setList((all) => (all.users.at(-1) === after ? { users: [...all.users, ...users], more } : all)),
      refused,
    );
  useEffect(() => load(), [message.reactions]);
  if (list.users.length === 0) return null;
  return (
    <section class="who" aria-label={t("who")}>
      <h3>{t("who")}</h3>
      <ul>
        {list.users.map(({ name, user }) => (
          <li key={`${name}\n${user}`}>
            <bdi class="emoji">{name}</bdi>{" "}
            <bdi class={hue(user)}>{legible(user)}</bdi>
          </li>
        ))}
      </ul>
      {list.more && (
        <button type="button" class="link" onClick={() => loadMore(list.users.at(-1)!)}>
          {t("more")}
        </button>
      )}
    </section>
  );
}

/** Where a message that one has just deleted was, for as long as that can be taken back. */
export function Undo({ view, message }: { view: ChannelView; message: Message }) {
  return (
    <p class="undo muted">
      {t("deleting")}{" "}
      <button type="button" class="link" onClick={() => view.changes.undo(message)}>
        {t("undo")}
      </button>
    </p>
  );
}

/** What is left of a message that was deleted. */
export function Deleted({ message }: { message: Message }) {
  const { by, reason } = message.deleted!;
  const other = by.user !== undefined && by.user !== message.user ? by.user : by.key;
  return (
    <p class="deleted muted">
      {other === undefined ? t("deleted") : <Text of="deletedBy" with={{ user: other }} />}{" "}
      {reason && <Text of="reason" with={{ reason }} />}
    </p>
  );
}
