import { useLayoutEffect, useRef } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t, type Key } from "../state/i18n.ts";
import { closed } from "./dialog.ts";
import { overlay } from "./shortcuts.ts";
import { Switcher } from "./Switcher.tsx";

/** What a key opens over the chat. */
export function Overlay({ app }: { app: App }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const which = overlay.value;
  useLayoutEffect(() => {
    if (which) dialog.current?.showModal();
    else dialog.current?.close();
  }, [which]);
  const close = () => {
    // The focus is back where it came from before something else takes it.
    dialog.current?.close();
    overlay.value = undefined;
  };
  return (
    <dialog
      ref={dialog}
      class="overlay"
      aria-label={t(which === "keys" ? "keys" : "switcher")}
      onClose={closed(close)}
    >
      {which === "switcher" && <Switcher app={app} close={close} />}
      {which === "keys" && <Keys close={close} />}
    </dialog>
  );
}

const KEYS: [keys: string, does: Key][] = [
  ["Ctrl K", "switcher"],
  ["Alt ↑ / Alt ↓", "keyStep"],
  ["↑", "keyEdit"],
  ["Enter", "keySend"],
  ["Shift Enter", "keyLine"],
  ["Shift Tab, ↑ / ↓", "keyWalk"],
  ["Enter", "keyMenu"],
  ["Esc", "keyEscape"],
  ["?", "keys"],
];

function Keys({ close }: { close(): void }) {
  return (
    <>
      <h2>{t("keys")}</h2>
      <dl class="keys">
        {KEYS.map(([keys, does]) => (
          <>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{t(does)}</dd>
          </>
        ))}
      </dl>
      <div class="actions">
        <button type="button" class="primary" onClick={close}>
          {t("close")}
        </button>
      </div>
    </>
  );
}
