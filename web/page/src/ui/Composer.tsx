import { useLayoutEffect, useRef } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import type { ChannelView } from "../state/view.ts";
import { missingIn } from "./Access.tsx";
import { Icon } from "./Icon.tsx";
import { composing } from "./shortcuts.ts";
import { Text } from "./Text.tsx";

const encoder = new TextEncoder();

/** Where one writes: Enter sends, Shift+Enter begins a new line. */
export function Composer({ app, view }: { app: App; view: ChannelView }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const { name } = view.channel;
  const draft = view.draft.value;
  const to = view.privateTo.value;
  const chosen = view.chosen.value;
  // Before anything else can be focused, or this would take the focus back from there.
  useLayoutEffect(() => {
    // A phone's keyboard would cover the messages.
    if (to !== undefined || matchMedia("(hover: hover)").matches) field.current?.focus();
  }, [to, chosen]);

  const limit = app.client.value?.session?.limits.body ?? Infinity;
  const excess = encoder.encode(draft).length - limit;
  // What is written already stays, and can be copied.
  const missing = missingIn(view);
  const send = (event: Event) => {
    event.preventDefault();
    if (excess <= 0 && !missing) view.send();
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (composing(event)) return;
    if (event.key === "Enter" && !event.shiftKey) send(event);
    // Whoever keeps writing without looking must not write to everybody.
    if (event.key === "Escape" && to !== undefined && draft === "") view.writeToAll();
  };
  const label = to === undefined ? t("write", { name }) : t("writePrivate", { user: to });

  return (
    <form class={to === undefined ? "composer" : "composer private"} onSubmit={send}>
      {to !== undefined && (
        <p class="recipient">
          <Icon name="lock" /> <Text of="writePrivate" with={{ user: to }} />{" "}
          <button
            type="button"
            class="quiet"
            aria-label={t("toEverybody")}
            title={t("toEverybody")}
            onClick={() => view.writeToAll()}
          >
            <Icon name="close" />
          </button>
        </p>
      )}
      <p class="again muted" role="status">
        <Again view={view} />
      </p>
      <label class="unseen" for="composer">
        {label}
      </label>
      <textarea
        id="composer"
        ref={field}
        rows={Math.min(8, draft.split("\n").length)}
        value={draft}
        placeholder={missing ? "" : label}
        readOnly={missing !== undefined}
        aria-disabled={missing !== undefined}
        aria-describedby="composer-error"
        aria-invalid={excess > 0}
        onInput={(e) => view.setDraft(e.currentTarget.value)}
        onKeyDown={onKeyDown}
        dir="auto"
      />
      <button type="submit" class="primary" aria-label={t("send")} disabled={excess > 0 || !!missing}>
        <Icon name="send" />
      </button>
      <p id="composer-error" class="error" role="alert">
        {excess > 0 ? t("tooLong", { n: excess }) : ""}
      </p>
    </form>
  );
}

/** Says that one writes to everybody again, until one does. */
function Again({ view }: { view: ChannelView }) {
  const user = view.formerly.value;
  if (user === undefined) return null;
  return (
    <>
      {t("publicAgain")} {view.keeps(user) && <Text of="draftKept" with={{ user }} />}
    </>
  );
}
