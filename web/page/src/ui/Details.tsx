import type { Message } from "@parley-chat/sdk";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { App } from "../state/app.ts";
import { moment } from "../state/format.ts";
import { t } from "../state/i18n.ts";
import { legible } from "../state/names.ts";
import { keyOf } from "../state/rows.ts";
import type { ChannelView } from "../state/view.ts";
import { Actions } from "./Actions.tsx";
import { closed } from "./dialog.ts";

/** The message that is shown, and the partition that holds it. */
export interface Subject {
  message: Message;
  partition: number;
}

interface Props {
  app: App;
  view: ChannelView;
  subject: Subject | undefined;
  close(): void;
}

/** What one can do to a message, where it is in the log, and a link to its trace. */
export function Details({ app, view, subject, close }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    if (subject) dialog.current?.showModal();
    else dialog.current?.close();
    if (subject) view.changes.ask();
  }, [subject]);
  void view.version;
  const now = subject && (view.changes.held(subject.message) ?? subject.message);
  const end = () => {
    // The focus is back where it came from before something else takes it.
    dialog.current?.close();
    close();
  };
  return (
    <dialog ref={dialog} onClose={closed(close)} aria-labelledby="details-title">
      <h2 id="details-title">{t("detailsTitle")}</h2>
      {now && <Actions key={keyOf(now)} app={app} view={view} message={now} close={end} />}
      {now && <Facts app={app} subject={{ ...subject, message: now }} />}
      <div class="actions">
        <button type="button" class="primary" onClick={close}>
          {t("close")}
        </button>
      </div>
    </dialog>
  );
}

function Facts({ app, subject }: { app: App; subject: Subject }) {
  const { message, partition } = subject;
  const traces = app.client.value?.session?.traces;
  const trace = message.trace && traces?.replace("{trace}", encodeURIComponent(message.trace));
  return (
    <details>
      <summary>{t("details")}</summary>
      <dl>
        <dt>{t("author")}</dt>
        <dd dir="auto">{legible(message.user)}</dd>
        <dt>{t("sentAt")}</dt>
        <dd>{moment(message.time)}</dd>
        {message.edited && (
          <>
            <dt>{t("edited")}</dt>
            <dd>{moment(message.edited.time)}</dd>
          </>
        )}
        <dt>{t("epoch")}</dt>
        <dd>{message.epoch}</dd>
        <dt>{t("partition")}</dt>
        <dd>{partition}</dd>
        <dt>{t("seq")}</dt>
        <dd>{message.seq}</dd>
        <dt>{t("id")}</dt>
        <dd>{message.id}</dd>
        {trace && /^https?:/.test(trace) && (
          <>
            <dt>{t("trace")}</dt>
            <dd>
              <a href={trace} target="_blank" rel="noopener noreferrer">
                {message.trace}
              </a>
            </dd>
          </>
        )}
      </dl>
    </details>
  );
}
