import { ErrorCode, type ParleyError } from "@parley-chat/sdk";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { minute } from "../state/format.ts";
import { t } from "../state/i18n.ts";
import { loginUrl } from "../state/login.ts";
import { reasonOf } from "../state/reason.ts";
import { useFocusKept } from "./focus.ts";

/** Close codes: others wait for the place, and the token is not accepted. */
const TRY_LATER = 3014;
const BAD_TOKEN = 3500;

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
          {waitsFor(state.code)}{" "}
          {navigator.onLine && <span aria-hidden="true">{t("again", { n: left })} </span>}
          <button type="button" class="link" onClick={() => app.client.value?.wake()}>
            {t("now")}
          </button>
        </p>
      )}
      {state.status === "closed" && <Closed app={app} error={state.error} />}
    </div>
  );
}

/** Why there is no connection yet. The countdown beside it is for the eye alone. */
function waitsFor(code: number): string {
  if (!navigator.onLine) return t("offline");
  if (code === TRY_LATER) return t("busy");
  return t(code === ErrorCode.NoToken ? "noLoginNow" : "lost");
}

/** Why the connection was ended for good, and what one can do about it. */
function Closed({ app, error }: { app: App; error: ParleyError | undefined }) {
  if (error?.code === ErrorCode.LoggedOut && loginUrl.value !== undefined) {
    return (
      <p>
        {t("loggedOut")} <a href={loginUrl.value}>{t("logIn")}</a>
      </p>
    );
  }
  const other = error?.code === ErrorCode.OtherUser;
  return (
    <p>
      {explain(error, app.logsIn)}{" "}
      <button type="button" class="link" onClick={() => app.reconnect()}>
        {t(other ? "goOn" : "reconnect")}
      </button>
    </p>
  );
}

function explain(error: ParleyError | undefined, logsIn: boolean): string {
  switch (error?.code) {
    case ErrorCode.LoggedOut:
      return t("loggedOut");
    case ErrorCode.OtherUser:
      return t("otherUser");
    case ErrorCode.Sanctioned:
      // A frame that is too large closes with the same number.
      if (error.data.action === "ban") return barred(error);
      break;
    case ErrorCode.Unauthenticated:
    case BAD_TOKEN:
      if (logsIn) return t("badLogin");
  }
  return t("closed", { reason: reasonOf(error) });
}

function barred({ data: { until, reason } }: ParleyError): string {
  const text = until ? t("barredUntil", { time: minute(until) }) : t("barred");
  return reason ? `${text} ${t("reason", { reason })}` : text;
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
