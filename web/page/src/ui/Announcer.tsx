import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { unmarked } from "../state/markup.ts";

/** Reads new messages out: the list itself changes with every scroll. */
export function Announcer({ app }: { app: App }) {
  const message = app.announced.value;
  if (!message) return <div class="unseen" role="log" aria-live="polite" />;
  const { user, to, seq } = message;
  const body = unmarked(message);
  return (
    <div class="unseen" role="log" aria-live="polite">
      <p key={seq}>{t(to === undefined ? "announce" : "announcePrivate", { user, body })}</p>
    </div>
  );
}
