import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { Icon } from "./Icon.tsx";
import { Text } from "./Text.tsx";

/** Says which channel was left, and takes that back. */
export function Departed({ app }: { app: App }) {
  const left = app.departure.last.value;
  const back = () => {
    app.comeBack();
    document.getElementById("composer")?.focus();
  };
  return (
    <div class="departed" role="status">
      {left && (
        <p>
          <span>
            <Text of="youLeft" with={{ name: left.view.channel.name }} />
          </span>{" "}
          <button type="button" class="link" onClick={back}>
            {t("undo")}
          </button>
          <button
            type="button"
            class="quiet"
            aria-label={t("dismiss")}
            title={t("dismiss")}
            onClick={() => app.departure.forget()}
          >
            <Icon name="close" />
          </button>
        </p>
      )}
    </div>
  );
}
