import type { Message, Outgoing } from "@parley-chat/sdk";
import { useEffect } from "preact/hooks";
import type { App } from "../state/app.ts";
import { AT_HAND } from "../state/emoji.ts";
import { clock, day, moment } from "../state/format.ts";
import { t } from "../state/i18n.ts";
import { hue, legible } from "../state/names.ts";
import { unsent } from "../state/reason.ts";
import { keyOf, type Row } from "../state/rows.ts";
import type { ChannelView } from "../state/view.ts";
import { Avatar } from "./Avatar.tsx";
import { Body } from "./Body.tsx";
import { classes } from "./classes.ts";
import { useStop } from "./current.ts";
import type { Subject } from "./Details.tsx";
import { Icon } from "./Icon.tsx";
import { Quote } from "./Quote.tsx";
import { Deleted, Reactions, Undo } from "./Reactions.tsx";
import { Text } from "./Text.tsx";

interface Props {
  app: App;
  view: ChannelView;
  inspect(subject: Subject): void;
  /** The seq of the message that was looked for. */
  found: number | undefined;
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

function StoredMessage({ app, view, message, head, inspect, found }: Props & Shown<Message>) {
  const { seq, user, to, deleted, edited, mentions = [], stale } = message;
  const { changes, channel } = view;
  const stop = useStop();
  const own = user === app.user.value;
  const hidden = changes.deleting.value.has(keyOf(message));
  useEffect(() => {
    if (stale) void changes.read(message);
  }, [stale, message]);
  return (
    <article
      tabIndex={stop}
      class={classes(
        "message",
        own && "own",
        to !== undefined && "private",
        head && "head",
        mentions.includes(app.user.value) && "mentioned",
        found === seq && "found",
      )}
    >
      <Head of={message} head={head} user={user} {...(own ? {} : { writeTo: () => view.writeTo(user) })} />
      {head && to !== undefined && <PrivateNote to={own ? to : undefined} />}
      {message.reply !== undefined && !hidden && <Quote view={view} answer={message} />}
      {hidden ? (
        <Undo view={view} message={message} />
      ) : deleted ? (
        <Deleted message={message} />
      ) : (
        <Body message={message} view={view} me={app.user.value} />
      )}
      <span class="when">
        {changes.pins.value.includes(seq) && (
          <span class="mark" title={t("pinned")}>
            <Icon name="pin" />
            <span class="unseen">{t("pinned")}</span>
          </span>
        )}
        {edited && (
          <span class="mark" title={t("editedAt", { time: moment(edited.time) })}>
            {t("edited")}
          </span>
        )}
      </span>
      {!hidden && <Reactions view={view} message={message} />}
      <span class="tools">
        {changes.possible(message) && !hidden && !view.moderation.silence.value && (
          <>
            {!channel.forbidden.has("react") && (
              <button
                type="button"
                class="quiet wide-only"
                // By the keyboard the menu does it, so that there is one stop for each message.
                tabIndex={-1}
                aria-label={t("reactWith", { name: AT_HAND[0] })}
                title={t("reactWith", { name: AT_HAND[0] })}
                aria-pressed={changes.reaction(message, AT_HAND[0]).on}
                onClick={() => changes.react(message, AT_HAND[0])}
              >
                <span class="emoji">{AT_HAND[0]}</span>
              </button>
            )}
            <button
              type="button"
              class="quiet wide-only"
              tabIndex={-1}
              aria-label={t("replyTo", { user })}
              title={t("reply")}
              onClick={() => view.replyTo(message)}
            >
              <Icon name="reply" />
            </button>
          </>
        )}
        <button
          type="button"
          class="quiet more"
          tabIndex={stop}
          aria-label={t("detailsOf", { user })}
          title={t("details")}
          onClick={() => inspect({ message, partition: channel.partition })}
        >
          <Icon name="more" />
        </button>
      </span>
    </article>
  );
}

function OwnMessage({ app, view, message, head }: Props & Shown<Outgoing>) {
  const { id, to, status, reply, epoch } = message;
  const stop = useStop();
  return (
    <article
      tabIndex={stop}
      class={classes("message own", status, to !== undefined && "private", head && "head")}
      data-status={status}
    >
      <Head of={message} head={head} user={app.user.value} />
      {head && to !== undefined && <PrivateNote to={to} />}
      {reply !== undefined && epoch !== undefined && <Quote view={view} answer={{ reply, epoch }} />}
      <Body message={message} view={view} me={app.user.value} />
      {status === "failed" ? (
        <p class="error" role="alert">
          {unsent(message.error)}{" "}
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

interface HeadProps {
  of: { time: number };
  head: boolean;
  user: string;
  writeTo?: () => void;
}

/** Who wrote a message and when; of those that follow in a group, the time is shown when looked for. */
function Head({ of: { time }, head, user, writeTo }: HeadProps) {
  const stop = useStop();
  const when = (
    <time dateTime={new Date(time).toISOString()} title={moment(time)}>
      {clock(time)}
    </time>
  );
  if (!head) return <span class="gutter">{when}</span>;
  const name = legible(user);
  return (
    <>
      <Avatar user={user} />
      <span class="by">
        {writeTo ? (
          <button
            type="button"
            tabIndex={stop}
            class={`author ${hue(user)}`}
            title={t("writePrivateTo", { user: name })}
            onClick={writeTo}
            dir="auto"
          >
            {name}
          </button>
        ) : (
          <span class={`author ${hue(user)}`} dir="auto">
            {name}
          </span>
        )}{" "}
        {when}
      </span>
    </>
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
