import type { PinsPage } from "@parley-chat/sdk";
import { useEffect, useRef, useState } from "preact/hooks";
import { minute } from "../state/format.ts";
import { t } from "../state/i18n.ts";
import { hue, legible } from "../state/names.ts";
import { reasonOf } from "../state/reason.ts";
import type { ChannelView } from "../state/view.ts";
import { useAsking } from "./asking.ts";
import { closed, showDialog } from "./dialog.ts";
import { Icon } from "./Icon.tsx";
import { excerpt } from "./Quote.tsx";

/** The pinned messages of a channel, behind a button that says how many there are. */
export function Pins({ view }: { view: ChannelView }) {
  void view.version;
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const { settings, changeable, forbidden } = view.channel;
  const count = settings.pins.length;
  if (!changeable || (count === 0 && !open) || forbidden.has("history")) return null;
  const show = () => {
    setOpen(true);
    showDialog(dialog.current);
    view.changes.ask();
  };
  return (
    <>
      <button
        type="button"
        class="quiet pins"
        aria-haspopup="dialog"
        title={t("pins")}
        onClick={show}
      >
        <Icon name="pin" /> <span class="unseen">{t("pins")}</span> {count}
      </button>
      <dialog ref={dialog} aria-labelledby="pins-title" onClose={closed(() => setOpen(false))}>
        <h2 id="pins-title">{t("pins")}</h2>
        {open && <Pinned view={view} close={() => dialog.current?.close()} />}
        <div class="actions">
          <button type="button" class="primary" onClick={() => dialog.current?.close()}>
            {t("close")}
          </button>
        </div>
      </dialog>
    </>
  );
}

function Pinned({ view, close }: { view: ChannelView; close(): void }) {
  const { channel, changes } = view;
  const [list, setList] = useState<PinsPage | undefined>(undefined);
  const [error, setError] = useState("");
  const ask = useAsking();
  useEffect(() => {
    ask(() => channel.pins(), setList, (error) => setError(reasonOf(error)));
  }, [channel.settings.pins]);
  if (!list) return <p class={error && "error"}>{error}</p>;
  if (list.messages.length === 0) return <p class="muted">{t("noPins")}</p>;
  return (
    <>
      <ul class="pinned">
        {list.messages.map((message) => (
          <li key={message.seq}>
            <p>
              <bdi class={`author ${hue(message.user)}`}>{legible(message.user)}</bdi>{" "}
              <span class="muted">{minute(message.time)}</span>
            </p>
            <p class="body" dir="auto">
              {excerpt(message)}
            </p>
            <button
              type="button"
              class="link"
              onClick={() => {
                close();
                void changes.jump(message.seq);
              }}
            >
              {t("goTo")}
            </button>
            {changes.moderates.value && (
              <button type="button" class="link" onClick={() => changes.pin(message, true)}>
                {t("unpin")}
              </button>
            )}
          </li>
        ))}
      </ul>
      {list.more && <p class="muted">{t("morePins")}</p>}
    </>
  );
}
