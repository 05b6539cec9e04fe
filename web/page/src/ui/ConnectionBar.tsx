import { useEffect, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { reasonOf } from "../state/reason.ts";

/** Says how the connection is, where it is not simply there. */
export function ConnectionBar({ app }: { app: App }) {
  const state = app.connection.value;
  const left = useSecondsUntil(state.status === "waiting" ? state.retryAt : undefined);
  return (
    <div class="connection" role="status" data-status={state.status}>
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

/** Whole seconds until a moment, counted down. */
function useSecondsUntil(moment: number | undefined): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (moment === undefined) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [moment]);
  return Math.max(0, Math.ceil(((moment ?? now) - now) / 1000));
}
