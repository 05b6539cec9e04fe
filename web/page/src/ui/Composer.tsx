import { useLayoutEffect, useRef } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { excessOf } from "../state/long.ts";
import type { ChannelView } from "../state/view.ts";
import { missingIn } from "./Access.tsx";
import { EmojiButton } from "./EmojiButton.tsx";
import { Icon } from "./Icon.tsx";
import { MentionList, useMentions } from "./Mentions.tsx";
import { excerpt } from "./Quote.tsx";
import { composing } from "./shortcuts.ts";
import { Text } from "./Text.tsx";

/** Where one writes: Enter sends, Shift+Enter begins a new line, the arrow up edits. */
export function Composer({ app, view }: { app: App; view: ChannelView }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const { changes } = view;
  const { name } = view.channel;
  const to = view.privateTo.value;
  const chosen = view.chosen.value;
  const editing = changes.editing.value;
  const replying = changes.replying.value;
  const text = editing ? changes.text.value : view.draft.value;
  const set = (text: string) => (editing ? void (changes.text.value = text) : view.setDraft(text));
  // Before anything else can be focused, or this would take the focus back from there.
  useLayoutEffect(() => {
    // A phone's keyboard would cover the messages.
    const wanted = to !== undefined || editing || replying;
    if (wanted || matchMedia("(hover: hover)").matches) field.current?.focus();
    const end = field.current?.value.length ?? 0;
    if (editing) field.current?.setSelectionRange(end, end);
  }, [to, chosen, editing, replying]);
  const write = (text: string, cursor: number) => {
    set(text);
    const { current } = field;
    if (!current) return;
    current.value = text; // now, so that the cursor has its place
    current.focus();
    current.setSelectionRange(cursor, cursor);
  };
  const mentions = useMentions(view, write);
  const insert = (emoji: string) => {
    const { selectionStart: from, selectionEnd: to } = field.current!;
    write(text.slice(0, from) + emoji + text.slice(to), from + emoji.length);
  };

  const limit = app.client.value?.session?.limits.body ?? Infinity;
  const excess = excessOf(text, limit);
  // What is written already stays, and can be copied.
  const missing = missingIn(view);
  const { silence, left } = view.moderation;
  const held = editing ? silence.value !== undefined : !!missing || left.value > 0;
  const send = (event: Event) => {
    event.preventDefault();
    if (excess > 0 || held) return;
    if (editing) changes.save();
    else view.send();
    field.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (composing(event)) return;
    const { key } = event;
    const plain = !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey;
    if (plain && mentions.key(key)) return event.preventDefault();
    if (key === "Enter" && !event.shiftKey) send(event);
    if (key === "ArrowUp" && plain && text === "" && !editing && !silence.value) {
      changes.editNewest(to);
      if (changes.editing.value) event.preventDefault();
    }
    if (key !== "Escape") return;
    if (editing || replying) changes.cancel();
  };
  let label = to === undefined ? t("write", { name }) : t("writePrivate", { user: to });
  if (editing) label = t("editField");
  const open = mentions.names.length > 0;

  return (
    <form class={to === undefined || editing ? "composer" : "composer private"} onSubmit={send}>
      {to !== undefined && !editing && (
        <p class="recipient">
          <Icon name="lock" /> <Text of="onlyTwo" with={{ user: to }} />
        </p>
      )}
      <About app={app} view={view} />
      {open && <MentionList {...mentions} />}
      <label class="unseen" for="composer">
        {label}
      </label>
      <div class="field">
        <textarea
          id="composer"
          ref={field}
          rows={Math.min(8, text.split("\n").length)}
          value={text}
          placeholder={missing ? "" : label}
          readOnly={missing !== undefined && !editing}
          aria-disabled={missing !== undefined && !editing}
          aria-describedby="composer-about composer-error"
          aria-invalid={excess > 0}
          aria-autocomplete="list"
          aria-controls={open ? "mentions" : undefined}
          aria-activedescendant={open ? `mention-${mentions.at}` : undefined}
          onInput={(e) => {
            const { value } = e.currentTarget;
            set(value);
            if (!editing && to === undefined && value.trim() !== "") view.moderation.typed();
            mentions.follow(e.currentTarget);
          }}
          onBlur={mentions.close}
          onKeyDown={onKeyDown}
          dir="auto"
        />
        {(!missing || editing) && <EmojiButton insert={insert} />}
        <button
          type="submit"
          class="primary"
          aria-label={t(editing ? "save" : "send")}
          title={t(editing ? "save" : "send")}
          disabled={excess > 0 || held}
        >
          <Icon name={editing ? "check" : "send"} />
        </button>
      </div>
      <p id="composer-error" class="error" role="alert">
        {excess > 0 ? t("tooLong", { n: excess }) : ""}
      </p>
    </form>
  );
}

/** Which message is edited, or answered, and the way out of that. */
function About({ app, view }: { app: App; view: ChannelView }) {
  const { changes } = view;
  void view.version;
  const editing = changes.editing.value;
  const message = editing ?? changes.replying.value;
  return (
    <p id="composer-about" class="about" role="status">
      {message && (
        <>
          <Icon name={editing ? "edit" : "reply"} />{" "}
          <span class="excerpt">
            {editing && message.user === app.user.value ? (
              t("editing")
            ) : (
              <Text of={editing ? "editingOf" : "answering"} with={{ user: message.user }} />
            )}
            {!editing && <bdi class="muted"> {excerpt(changes.held(message) ?? message)}</bdi>}
          </span>{" "}
          <button
            type="button"
            class="quiet"
            aria-label={t(editing ? "cancelEdit" : "cancelReply")}
            title={t(editing ? "cancelEdit" : "cancelReply")}
            onClick={() => {
              changes.cancel();
              document.getElementById("composer")?.focus();
            }}
          >
            <Icon name="close" />
          </button>
        </>
      )}
    </p>
  );
}
