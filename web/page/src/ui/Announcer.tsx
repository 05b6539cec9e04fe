import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";

/** Reads new messages out: the list itself changes with every scroll. */
export function Announcer({ app }: { app: App }) {
  const message = app.announced.value;
  if (!message) return <div class="unseen" role="log" aria-live="polite" />;
  const { user, body, to, seq } = message;
  return (
    <div class="unseen" role="log" aria-live="polite">
      <p key={seq}>{t(to === undefined ? "announce" : "announcePrivate", { user, body })}</p>
    </div>
  );
}
