import type { Message, Outgoing } from "@parley-chat/sdk";
import type { App } from "../state/app.ts";
import { clock, day, hue, moment } from "../state/format.ts";
import { t } from "../state/i18n.ts";
import { linkify } from "../state/linkify.ts";
import { isLong } from "../state/long.ts";
import { reasonOf } from "../state/reason.ts";
import type { Row } from "../state/rows.ts";
import type { ChannelView } from "../state/view.ts";
import type { Subject } from "./Details.tsx";
import { Icon } from "./Icon.tsx";
import { Text } from "./Text.tsx";

interface Props {
  app: App;
  view: ChannelView;
  inspect(subject: Subject): void;
}

/** One line of the list. */
export function RowView({ row, ...props }: Props & { row: Row }) {
  switch (row.kind) {
    case "day":
      return <p class="rule">{day(row.time)}</p>;
    case "new":
      return <p class="rule new">{t("newMessages")}</p>;
    case "away":
      return (
        <p class="rule away">
          {row.complete ? t("away", { n: row.missed }) : t("awayIncomplete")}
        </p>
      );
    case "gap":
      if (props.view.channel.forbidden.has("history")) return <p class="gap muted">{t("noGap")}</p>;
      return (
        <p class="gap muted">
          {t("gap")}{" "}
          <button
            type="button"
            class="link"
            // When it fails, the gap and its button are still there.
            onClick={() => props.view.channel.fill(row.gap).catch(() => {})}
          >
            {t("loadGap")}
          </button>
        </p>
      );
    case "message":
      return <StoredMessage message={row.message} head={row.head} {...props} />;
    case "outgoing":
      return <OwnMessage message={row.message} head={row.head} {...props} />;
  }
}

function StoredMessage({ app, view, message, head, inspect }: Props & Shown<Message>) {
  const { id, user, time, to, body } = message;
  const own = user === app.user.value;
  return (
    <article class={classes("message", own && "own", to !== undefined && "private", head && "head")}>
      {head && <Author name={user} own={own} writeTo={() => view.writeTo(user)} />}
      {head && to !== undefined && <PrivateNote to={own ? to : undefined} />}
      <Body text={body} id={id} view={view} />
      <time dateTime={new Date(time).toISOString()} title={moment(time)}>
        {clock(time)}
      </time>
      <button
        type="button"
        class="quiet more"
        aria-label={t("detailsOf", { user })}
        title={t("details")}
        onClick={() => inspect({ message, partition: view.channel.partition })}
      >
        <Icon name="more" />
      </button>
    </article>
  );
}

function OwnMessage({ app, view, message, head }: Props & Shown<Outgoing>) {
  const { id, time, to, body, status } = message;
  return (
    <article
      class={classes("message own", status, to !== undefined && "private", head && "head")}
      data-status={status}
    >
      {head && <Author name={app.user.value} own />}
      {head && to !== undefined && <PrivateNote to={to} />}
      <Body text={body} id={id} view={view} />
      <time dateTime={new Date(time).toISOString()} title={moment(time)}>
        {clock(time)}
      </time>
      {status === "failed" ? (
        <p class="error" role="alert">
          {t("failed", { reason: reasonOf(message.error) })}{" "}
          <button type="button" class="link" onClick={() => view.channel.retry(id)}>
            {t("retry")}
          </button>{" "}
          <button type="button" class="link" onClick={() => view.channel.discard(id)}>
            {t("discard")}
          </button>
        </p>
      ) : (
        <span class="status" title={t(status)}>
          <Icon name={status === "sent" ? "check" : "clock"} />
          <span class="unseen">{t(status)}</span>
        </span>
      )}
    </article>
  );
}

interface Shown<M> {
  message: M;
  head: boolean;
}

function Author({ name, own, writeTo }: { name: string; own: boolean; writeTo?: () => void }) {
  if (own || !writeTo) {
    return (
      <span class={`author ${hue(name)}`} dir="auto">
        {name}
      </span>
    );
  }
  return (
    <button
      type="button"
      class={`author ${hue(name)}`}
      title={t("writePrivateTo", { user: name })}
      onClick={writeTo}
      dir="auto"
    >
      {name}
    </button>
  );
}

function PrivateNote({ to }: { to: string | undefined }) {
  return (
    <span class="private-note">
      <Icon name="lock" />{" "}
      {to === undefined ? t("privateFrom") : <Text of="privateTo" with={{ user: to }} />}
    </span>
  );
}

/** A message's text. It is never read as markup; web addresses become links. */
function Body({ text, id, view }: { text: string; id: string; view: ChannelView }) {
  const long = isLong(text);
  const cut = long && !view.expanded.value.has(id);
  return (
    <div>
      <p class={classes("body", cut && "cut")} dir="auto">
        {linkify(text).map((piece) =>
          typeof piece === "string" ? (
            piece
          ) : (
            <a href={piece.href} target="_blank" rel="noopener noreferrer nofollow">
              {piece.text}
            </a>
          ),
        )}
      </p>
      {long && (
        <button
          type="button"
          class="link"
          aria-expanded={!cut}
          onClick={() => view.toggle(id)}
        >
          {t(cut ? "showAll" : "showLess")}
        </button>
      )}
    </div>
  );
}

function classes(...names: (string | false)[]): string {
  return names.filter(Boolean).join(" ");
}
