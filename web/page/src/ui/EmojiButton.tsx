import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { t } from "../state/i18n.ts";
import { closed } from "./dialog.ts";
import { Icon } from "./Icon.tsx";
import { EmojiPicker } from "./pickers.ts";

/** A button that puts an emoji where one writes. */
export function EmojiButton({ insert }: { insert(emoji: string): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  useLayoutEffect(() => {
    if (open) dialog.current?.showModal();
  }, [open]);
  const take = (emoji: string) => {
    // The focus is back before the field takes it.
    dialog.current?.close();
    setOpen(false);
    insert(emoji);
  };
  return (
    <>
      <button
        type="button"
        class="quiet emoji-button"
        aria-label={t("emoji")}
        title={t("emoji")}
        aria-haspopup="dialog"
        onClick={() => setOpen(true)}
      >
        <Icon name="smile" />
      </button>
      <dialog ref={dialog} aria-label={t("emoji")} onClose={closed(() => setOpen(false))}>
        {open && <EmojiPicker choose={take} />}
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            {t("close")}
          </button>
        </div>
      </dialog>
    </>
  );
}
