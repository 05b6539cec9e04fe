import { useRef } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t, type Key } from "../state/i18n.ts";
import type { ChannelView } from "../state/view.ts";
import { useFocusKept } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { Text } from "./Text.tsx";

/** Says what one may not do in a channel, above where one would write. */
export function Access({ app, view }: { app: App; view: ChannelView }) {
  const part = useRef<HTMLDivElement>(null);
  useFocusKept(part, composer);
  const missing = missingIn(view);
  const out = missing === "removed" || missing === "noAccess";
  return (
    <div class="access" role="status" ref={part}>
      {missing && (
        <p>
          <Icon name="lock" /> <Text of={missing} with={{ name: view.channel.name }} />{" "}
          {out && `${t("askAccess")} `}
          <button type="button" class="link" onClick={() => void app.tryAgain(view)}>
            {t(view.asking.value ? "joining" : out ? "retry" : "checkAgain")}
          </button>
        </p>
      )}
    </div>
  );
}

/** Takes the place of a channel that one may not see anything of. */
export function NoAccess({ app, view }: { app: App; view: ChannelView }) {
  return (
    <div class="no-access" role="alert">
      <p>
        <Icon name="lock" /> <Text of="noAccess" with={{ name: view.channel.name }} />
      </p>
      <p class="muted">{t("askAccess")}</p>
      <button type="button" onClick={() => void app.tryAgain(view)}>
        {t(view.asking.value ? "joining" : "retry")}
      </button>
    </div>
  );
}

/** What is missing that one would need to write, as the text that says so. */
export function missingIn(view: ChannelView): Key | undefined {
  void view.version;
  const { forbidden, messages } = view.channel;
  if (view.shutOut) return messages.length > 0 ? "removed" : "noAccess";
  if (view.privateTo.value !== undefined) return forbidden.has("private") ? "noPrivate" : undefined;
  return forbidden.has("chat") ? "readOnly" : undefined;
}

const composer = {
  get current() {
    return document.getElementById("composer");
  },
};
