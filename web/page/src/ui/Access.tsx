import { ErrorCode } from "@parley-chat/sdk";
import { useEffect, useRef } from "preact/hooks";
import type { App } from "../state/app.ts";
import { countdown, length, minute } from "../state/format.ts";
import { t, type Key, type Values } from "../state/i18n.ts";
import { LONGEST } from "../state/moderation.ts";
import type { ChannelView } from "../state/view.ts";
import { useFocusKept } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { Text } from "./Text.tsx";

/** When one who should be back, and is not, tries again. */
const SOON = 15_000;

/** What is missing that one would need to write. */
interface Missing {
  text: Key;
  values?: Values;
  /** Why, as a moderator put it. */
  reason?: string | undefined;
  /** What one can do about it, and whom one can ask. */
  button?: Key;
  hint?: Key;
}

/** Says what one may not do in a channel, above where one would write. */
export function Access({ app, view }: { app: App; view: ChannelView }) {
  const part = useRef<HTMLDivElement>(null);
  useFocusKept(part, composer);
  useReturn(app, view);
  const missing = missingIn(view);
  return (
    <div class="access" role="status" ref={part}>
      {missing && (
        <p>
          <Said missing={missing} /> {missing.hint && `${t(missing.hint)} `}
          <Again app={app} view={view} missing={missing} link />
        </p>
      )}
      {!missing && <Slow view={view} />}
    </div>
  );
}

/** Takes the place of a channel that one may not see anything of. */
export function NoAccess({ app, view }: { app: App; view: ChannelView }) {
  useReturn(app, view);
  const missing = missingIn(view)!;
  return (
    <div class="no-access" role="alert">
      <p>
        <Said missing={missing} />
      </p>
      {missing.hint && <p class="muted">{t(missing.hint)}</p>}
      <Again app={app} view={view} missing={missing} />
    </div>
  );
}

/** What is missing, in a sentence, and why. */
export function Said({ missing: { text, values = {}, reason } }: { missing: Missing }) {
  return (
    <>
      <Icon name="lock" /> <Text of={text} with={values} />
      {reason && (
        <>
          {" "}
          <Text of="reason" with={{ reason }} />
        </>
      )}
    </>
  );
}

function Again({ app, view, missing, link }: { app: App; view: ChannelView; missing: Missing; link?: true }) {
  if (!missing.button) return null;
  return (
    <button type="button" class={link && "link"} onClick={() => void app.tryAgain(view)}>
      {t(view.asking.value ? "joining" : missing.button)}
    </button>
  );
}

/** That there is slow mode, and when one may write again, which is for the eye alone. */
function Slow({ view }: { view: ChannelView }) {
  void view.version;
  const { slow } = view.channel.settings;
  const left = view.moderation.left.value;
  if (slow === 0 || view.changes.moderates.value) return null;
  return (
    <p>
      <Icon name="clock" /> {t("slow", { n: length(slow) })}{" "}
      {left > 0 && <span aria-hidden="true">{t("slowLeft", { n: countdown(left) })}</span>}
    </p>
  );
}

/** What is missing that one would need to write. */
export function missingIn(view: ChannelView): Missing | undefined {
  void view.version;
  const { forbidden, sanction } = view.channel;
  if (view.shutOut) return out(view);
  const silence = view.moderation.silence.value;
  if (silence === "mute") {
    return { ...until("silenced", "silencedUntil", sanction?.until), reason: sanction?.reason };
  }
  if (silence === "frozen") return { text: "frozen" };
  if (view.privateTo.value !== undefined) {
    return forbidden.has("private") ? { text: "noPrivate", button: "checkAgain" } : undefined;
  }
  return forbidden.has("chat") ? { text: "readOnly", button: "checkAgain" } : undefined;
}

/** Why one is not in the channel. */
function out({ channel, expelled }: ChannelView): Missing {
  const { name, messages, error } = channel;
  const values = { name };
  if (error?.code === ErrorCode.Sanctioned) {
    const { data } = error;
    return { ...until("banned", "bannedUntil", data.until, values), reason: data.reason, button: "retry" };
  }
  if (error?.data.reason === "kicked") {
    return { text: "kicked", values, reason: expelled, button: "joinAgain" };
  }
  return { text: messages.length > 0 ? "removed" : "noAccess", values, hint: "askAccess", button: "retry" };
}

function until(forEver: Key, then: Key, until: number | undefined, values: Values = {}): Missing {
  if (until === undefined) return { text: forEver, values };
  return { text: then, values: { ...values, time: minute(until) } };
}

/** Comes back when a ban has ended. */
function useReturn(app: App, view: ChannelView): void {
  const error = view.shutOut ? view.channel.error : undefined;
  useEffect(() => {
    const end = error?.data.until;
    if (end === undefined) return;
    const left = view.moderation.until(end);
    // One that has ended, and binds all the same: a clock is wrong.
    const wait = left > 0 ? Math.min(left + 1_000, LONGEST) : SOON;
    const timer = setTimeout(() => void app.tryAgain(view), wait);
    return () => clearTimeout(timer);
  }, [error, view]);
}

const composer = {
  get current() {
    return document.getElementById("composer");
  },
};
