import type { ParleyError, SanctionsResult, SetOptions } from "@parley-chat/sdk";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { length, minute } from "../state/format.ts";
import { t, type Key } from "../state/i18n.ts";
import { excessOf } from "../state/long.ts";
import { hue } from "../state/names.ts";
import { reasonOf } from "../state/reason.ts";
import type { ChannelView } from "../state/view.ts";
import { useAsking } from "./asking.ts";
import { closed, showDialog } from "./dialog.ts";
import { Icon } from "./Icon.tsx";
import { Notice } from "./Notice.tsx";
import { Text } from "./Text.tsx";
import { TooLong } from "./TooLong.tsx";

/** Seconds between two messages that there are to choose from. */
const SLOW = [0, 5, 10, 30, 60, 300, 3600];
const MINUTE = 60_000;
/** Bytes of a topic that the server takes. */
const MAX_TOPIC = 256;

interface Props {
  app: App;
  view: ChannelView;
  user: string;
  /** Called before something is done. */
  done(): void;
}

/** What a moderator can do about a user. */
export function Measures({ app, view, user, done }: Props) {
  const [reason, setReason] = useState("");
  const { channel, moderation } = view;
  const why = reason.trim() === "" ? {} : { reason: reason.trim() };
  const button = (text: Key, act: () => void) => (
    <button
      type="button"
      onClick={() => {
        done();
        act();
      }}
    >
      {t(text)}
    </button>
  );
  const mute = (text: Key, minutes?: number) => {
    const options = { ...why, ...(minutes && { for: minutes * MINUTE }) };
    return button(text, () => moderation.act(channel.mute(user, options)));
  };
  const ban = () => moderation.act(channel.ban(user, { ...why, purge: 0 }));
  const unsent = { messages: 0, drafts: 0 };
  return (
    <section class="measures" aria-label={t("moderate", { user })}>
      <input
        aria-label={t("why")}
        placeholder={t("why")}
        maxLength={170}
        value={reason}
        onInput={(e) => setReason(e.currentTarget.value)}
      />
      <div class="choices">
        {mute("mute10", 10)}
        {mute("mute60", 60)}
        {mute("mute")}
        {button("unmute", () => moderation.act(channel.lift(user, { action: "mute" })))}
        {button("kick", () => moderation.act(channel.kick(user, why)))}
        {button("ban", () => {
          app.question.value = { text: "banQuestion", name: user, unsent, answer: "ban", act: ban };
        })}
      </div>
    </section>
  );
}

/** What a moderator can do about a member, in a dialog. */
export function Member({ app, view }: { app: App; view: ChannelView }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { subject } = view.moderation;
  const user = subject.value?.user;
  useLayoutEffect(() => {
    if (subject.value) dialog.current?.showModal();
  }, [subject.value]);
  const close = () => dialog.current?.close();
  return (
    <dialog ref={dialog} aria-labelledby="member-title" onClose={closed(() => (subject.value = undefined))}>
      <h2 id="member-title">
        <Text of="moderate" with={{ user: user ?? "" }} />
      </h2>
      {user !== undefined && <Measures app={app} view={view} user={user} done={close} />}
      <Close close={close} />
    </dialog>
  );
}

/** Slow mode, freeze, topic, and who is muted or banned; for moderators. */
export function Moderation({ view }: { view: ChannelView }) {
  void view.version;
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  if (!view.changes.moderates.value) return null;
  const show = () => {
    setOpen(true);
    showDialog(dialog.current);
  };
  return (
    <>
      <button
        type="button"
        class="quiet moderation-button"
        aria-haspopup="dialog"
        aria-label={t("moderation")}
        title={t("moderation")}
        onClick={show}
      >
        <Icon name="shield" />
      </button>
      <dialog ref={dialog} aria-labelledby="moderation-title" onClose={closed(() => setOpen(false))}>
        <h2 id="moderation-title">{t("moderation")}</h2>
        {open && <ChannelSettings view={view} />}
        {open && <Sanctions view={view} />}
        {/* What is beside a dialog is neither seen nor read out. */}
        {open && <Notice view={view} />}
        <Close close={() => dialog.current?.close()} />
      </dialog>
    </>
  );
}

function Close({ close }: { close(): void }) {
  return (
    <div class="actions">
      <button type="button" class="primary" onClick={close}>
        {t("close")}
      </button>
    </div>
  );
}

function ChannelSettings({ view }: { view: ChannelView }) {
  void view.version;
  const { channel, moderation } = view;
  const { slow, frozen, topic } = channel.settings;
  const [text, setText] = useState(topic);
  useEffect(() => setText(topic), [topic]);
  const save = (event: Event) => {
    event.preventDefault();
    moderation.act(channel.set({ topic: text.trim() }));
  };
  const excess = excessOf(text.trim(), MAX_TOPIC);
  /** Where it is not set, the control shows what is. */
  const set = (options: SetOptions, restore: () => void) =>
    moderation.act(channel.set(options).catch((error) => (restore(), Promise.reject(error))));
  return (
    <>
      <label for="topic">{t("topic")}</label>
      <form class="other" onSubmit={save}>
        <input
          id="topic"
          value={text}
          aria-invalid={excess > 0}
          onInput={(e) => setText(e.currentTarget.value)}
          dir="auto"
        />
        <button type="submit" disabled={text.trim() === topic || excess > 0}>
          {t("save")}
        </button>
      </form>
      <TooLong by={excess} />
      <label for="slow">{t("slowMode")}</label>
      <select
        id="slow"
        value={slow}
        onChange={({ currentTarget: list }) =>
          set({ slow: Number(list.value) }, () => (list.value = String(channel.settings.slow)))
        }
      >
        {[...new Set([...SLOW, slow])].map((n) => (
          <option key={n} value={n}>
            {n === 0 ? t("off") : length(n)}
          </option>
        ))}
      </select>
      <label class="check">
        <input
          type="checkbox"
          checked={frozen}
          onChange={({ currentTarget: box }) =>
            set({ frozen: box.checked }, () => (box.checked = channel.settings.frozen))
          }
        />
        {t("freeze")}
      </label>
    </>
  );
}

/** The mutes and bans of the channel, each with the way out. */
function Sanctions({ view }: { view: ChannelView }) {
  const { channel, moderation } = view;
  const [list, setList] = useState<SanctionsResult>({ sanctions: [], more: false });
  const [error, setError] = useState("");
  const [askList, askMore] = [useAsking(), useAsking()];
  const refused = (error: ParleyError) => setError(reasonOf(error));
  const load = () =>
    askList(
      () => channel.sanctions(),
      (list) => {
        setError("");
        setList(list);
      },
      refused,
    );
  const loadMore = (after: string) =>
    askMore(
      () => channel.sanctions({ after }),
      ({ sanctions, more }) =>
        // A list that came meanwhile may end elsewhere.
        setList((all) =>
          all.sanctions.at(-1)?.user === after ? { sanctions: [...all.sanctions, ...sanctions], more } : all,
        ),
      refused,
    );
  useEffect(() => {
    load();
    return channel.on("sanctioned", () => load());
  }, []);
  const all = list.sanctions.filter(({ until }) => moderation.until(until) > 0);
  return (
    <section aria-label={t("sanctions")}>
      <h3>{t("sanctions")}</h3>
      {all.length === 0 && <p class={error ? "error" : "muted"}>{error || t("nobody")}</p>}
      <ul class="sanctions">
        {all.map(({ user, action, until, reason }) => (
          <li key={`${action} ${user}`}>
            <p>
              <bdi class={`author ${hue(user)}`}>{user}</bdi>{" "}
              <span class="muted">
                {t(action === "mute" ? "isMuted" : "isBanned")}{" "}
                {until !== undefined && t("until", { time: minute(until) })}{" "}
                {reason && <Text of="reason" with={{ reason }} />}
              </span>
            </p>
            <button
              type="button"
              class="link"
              aria-label={t("liftOf", { user })}
              onClick={() => moderation.act(channel.lift(user, { action }))}
            >
              {t("lift")}
            </button>
          </li>
        ))}
      </ul>
      {list.more && (
        <button type="button" class="link" onClick={() => loadMore(list.sanctions.at(-1)!.user)}>
          {t("more")}
        </button>
      )}
    </section>
  );
}
