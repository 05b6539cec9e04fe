import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { reasonOf } from "../state/reason.ts";
import { useFocusKept } from "./focus.ts";

/** Shows the state of the connection while it is not online. */
export function ConnectionBar({ app }: { app: App }) {
  const state = app.connection.value;
  const left = useSecondsUntil(state.status === "waiting" ? state.retryAt : undefined);
  const bar = useRef<HTMLDivElement>(null);
  useFocusKept(bar, composer);
  return (
    <div class="connection" role="status" ref={bar} data-status={state.status}>
      {state.status === "connecting" && <p>{t("connecting")}</p>}
      {state.status === "waiting" && (
        <p>
          {navigator.onLine ? t("waiting", { n: left }) : t("offline")}{" "}
          <button type="button" class="link" onClick={() => app.client.value?.wake()}>
            {t("now")}
          </button>
        </p>
      )}
      {state.status === "closed" && (
        <p>
          {t("closed", { reason: reasonOf(state.error) })}{" "}
          <button type="button" class="link" onClick={() => app.reconnect()}>
            {t("reconnect")}
          </button>
        </p>
      )}
    </div>
  );
}

/** What takes the focus over from a button that is not needed any more. */
const composer = {
  get current() {
    return document.getElementById("composer");
  },
};

/** Whole seconds until a moment, counted down by the clock that nobody sets. */
function useSecondsUntil(moment: number | undefined): number {
  const [left, setLeft] = useState(0);
  useLayoutEffect(() => {
    if (moment === undefined) return;
    const end = performance.now() + moment - Date.now();
    const count = () => setLeft(Math.max(0, Math.ceil((end - performance.now()) / 1000)));
    count();
    const timer = setInterval(count, 250);
    return () => clearInterval(timer);
  }, [moment]);
  return left;
}
