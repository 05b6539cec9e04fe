import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { hue } from "../state/names.ts";
import type { ChannelView } from "../state/view.ts";
import { Avatar } from "./Avatar.tsx";
import { Icon } from "./Icon.tsx";

/** Who is here. A click on a name begins a private message. */
export function Members({ app, view }: { app: App; view: ChannelView }) {
  void view.version;
  const { members, count } = view.channel;
  return (
    <>
      <h2>
        {t("members")}{" "}
        {/* Before the join's result nobody is known, oneself neither. */}
        {count > 0 && <span class="muted">{t("membersCount", { n: count })}</span>}
      </h2>
      <ul class="list grow">
        {members.map((user) => (
          <li key={user}>
            {user === app.user.value ? (
              <span class="name" dir="auto">
                <Avatar user={user} small /> <bdi class={hue(user)}>{user}</bdi>{" "}
                <span class="muted">({t("you")})</span>
              </span>
            ) : (
              <button
                type="button"
                class="name"
                title={t("writePrivateTo", { user })}
                onClick={() => view.writeTo(user)}
                dir="auto"
              >
                <Avatar user={user} small /> <span class={hue(user)}>{user}</span>
              </button>
            )}
            {view.changes.moderates.value && user !== app.user.value && (
              <button
                type="button"
                class="quiet"
                aria-label={t("moderate", { user })}
                title={t("moderate", { user })}
                aria-haspopup="dialog"
                onClick={() => (view.moderation.subject.value = { user })}
              >
                <Icon name="shield" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {members.length < count && (
        <button
          type="button"
          class="link"
          // When it fails, the button is still there.
          onClick={() => view.channel.loadMembers().catch(() => {})}
        >
          {t("moreMembers")}
        </button>
      )}
    </>
  );
}
