import { useLayoutEffect, useRef } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { closed } from "./dialog.ts";
import { lazy } from "./lazy.tsx";
import { overlay } from "./shortcuts.ts";

const Switcher = lazy(() => import("./Switcher.tsx").then(({ Switcher }) => Switcher));
const Search = lazy(() => import("./Search.tsx").then(({ Search }) => Search));
const Keys = lazy(() => import("./Keys.tsx").then(({ Keys }) => Keys));

/** What is opened over the chat. */
export function Overlay({ app }: { app: App }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const which = overlay.value;
  useLayoutEffect(() => {
    if (which) dialog.current?.showModal();
    else dialog.current?.close();
  }, [which]);
  // Whoever comes after this user finds nothing of theirs.
  useLayoutEffect(() => () => void (overlay.value = undefined), []);
  const close = () => {
    // The focus is back where it came from before something else takes it.
    dialog.current?.close();
    overlay.value = undefined;
  };
  return (
    <dialog
      ref={dialog}
      class="overlay"
      aria-label={t(which ?? "switcher")}
      onClose={closed(close)}
    >
      {which === "switcher" && <Switcher app={app} close={close} />}
      {which === "search" && <Search app={app} close={close} />}
      {which === "keys" && <Keys close={close} />}
    </dialog>
  );
}
