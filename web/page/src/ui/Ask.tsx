import { useLayoutEffect, useRef } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { closed } from "./dialog.ts";
import { Text } from "./Text.tsx";

/** Asks before what one has written is lost. */
export function Ask({ app }: { app: App }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const question = app.question.value;
  useLayoutEffect(() => {
    if (question) dialog.current?.showModal();
    else dialog.current?.close();
  }, [question]);
  const close = () => (app.question.value = undefined);
  const { messages, drafts } = question?.unsent ?? { messages: 0, drafts: 0 };
  return (
    <dialog ref={dialog} onClose={closed(close)} aria-labelledby="question">
      <p id="question">
        {question && <Text of={question.text} with={{ name: question.name ?? "" }} />}
      </p>
      {messages > 0 && <p class="muted">{t("unsentMessages", { n: messages })}</p>}
      {drafts > 0 && <p class="muted">{t("unsentDrafts", { n: drafts })}</p>}
      <div class="actions">
        <button type="button" onClick={close}>
          {t("cancel")}
        </button>
        <button
          type="button"
          class="primary"
          onClick={() => {
            // The focus is back where the question came from before that may go away.
            dialog.current?.close();
            question?.act();
          }}
        >
          {question && t(question.answer)}
        </button>
      </div>
    </dialog>
  );
}
