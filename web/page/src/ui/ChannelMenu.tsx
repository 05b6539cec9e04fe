import { useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import type { Level } from "../state/attention.ts";
import { t, type Key } from "../state/i18n.ts";
import { hashOf } from "../state/route.ts";
import type { ChannelView } from "../state/view.ts";
import { closed, showDialog } from "./dialog.ts";
import { Icon } from "./Icon.tsx";
import { Text } from "./Text.tsx";

const levels: [Level, Key][] = [
  ["all", "levelAll"],
  ["mentions", "levelMentions"],
  ["none", "levelNone"],
];

/** What a channel is about, an invitation to it, its notifications, and the way out. */
export function ChannelMenu({ app, view }: { app: App; view: ChannelView }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const peer = view.privateTo.value;
  const show = () => {
    setOpen(true);
    showDialog(dialog.current);
  };
  const close = () => dialog.current?.close();
  const leave = () => {
    close(); // the focus is back before the button may go away
    if (peer !== undefined) return app.closeConversation(view, peer);
    app.leave(view);
    if (!app.active.value) document.getElementById("open-channel")?.focus();
  };
  const label = t(peer === undefined ? "channelMenu" : "conversationMenu");
  return (
    <>
      <button
        type="button"
        class="quiet channel-menu"
        aria-label={label}
        title={label}
        aria-haspopup="dialog"
        onClick={show}
      >
        <Icon name="more" />
      </button>
      <dialog ref={dialog} aria-labelledby="channel-title" onClose={closed(() => setOpen(false))}>
        <h2 id="channel-title" dir="auto">
          {peer ?? view.channel.name}
        </h2>
        {open && <About view={view} />}
        {open && peer === undefined && <Invite view={view} />}
        {open && <Notifications app={app} view={view} />}
        <div class="actions">
          <button type="button" onClick={leave}>
            {t(peer === undefined ? "leave" : "closeConversation")}
          </button>
          <button type="button" class="primary" onClick={close}>
            {t("close")}
          </button>
        </div>
      </dialog>
    </>
  );
}

function About({ view }: { view: ChannelView }) {
  void view.version;
  const { name, settings, count } = view.channel;
  if (view.privateTo.value !== undefined) {
    return (
      <p class="muted">
        <Text of="privateIn" with={{ name }} />
      </p>
    );
  }
  return (
    <>
      {settings.topic && <p dir="auto">{settings.topic}</p>}
      {count > 0 && <p class="muted">{t("membersCount", { n: count })}</p>}
    </>
  );
}

/** A link that leads others here. */
function Invite({ view }: { view: ChannelView }) {
  const [copied, setCopied] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const link = location.href.replace(/#.*/, "") + hashOf(view.channel.name);
  const copy = async () => {
    field.current?.select(); // to be copied by hand, where the browser refuses
    await navigator.clipboard.writeText(link);
    setCopied(true);
  };
  return (
    <>
      <label for="invite">{t("invite")}</label>
      <div class="other">
        <input id="invite" ref={field} readOnly value={link} />
        <button type="button" onClick={() => void copy().catch(() => {})}>
          {t("copy")}
        </button>
      </div>
      <p class="muted" role="status">
        {copied && t("copied")}
      </p>
    </>
  );
}

function Notifications({ app: { attention }, view }: { app: App; view: ChannelView }) {
  const { name } = view.channel;
  return (
    <>
      <label for="level">{t("notifications")}</label>
      <select
        id="level"
        value={attention.level(name)}
        onChange={(e) => attention.choose(name, e.currentTarget.value as Level)}
      >
        {levels.map(([level, text]) => (
          <option key={level} value={level}>
            {t(text)}
          </option>
        ))}
      </select>
      {!attention.enabled.value && (
        <p class="muted">
          {t(attention.denied.value ? "notifyDenied" : "notifyOff")}{" "}
          <button type="button" class="link" onClick={() => void attention.enable(true)}>
            {t("turnOn")}
          </button>
        </p>
      )}
    </>
  );
}
