import { useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { hue } from "../state/names.ts";
import { hashOf } from "../state/route.ts";
import type { ChannelView } from "../state/view.ts";
import { useFocusKept } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { Settings } from "./Settings.tsx";

/** The channels side by side, and one's own name. */
export function Sidebar({ app }: { app: App }) {
  const [name, setName] = useState("");
  const list = useRef<HTMLUListElement>(null);
  const field = useRef<HTMLInputElement>(null);
  useFocusKept(list, field);
  const submit = (event: Event) => {
    event.preventDefault();
    if (name.trim() === "") return;
    app.open(name.trim());
    setName("");
  };
  return (
    <>
      <h2>{t("channels")}</h2>
      <ul class="list grow" ref={list}>
        {app.views.value.map((view) => (
          <Entry key={view.channel.name} app={app} view={view} />
        ))}
      </ul>
      <form class="open-channel" onSubmit={submit}>
        <label class="unseen" for="open-channel">
          {t("openChannel")}
        </label>
        <input
          id="open-channel"
          ref={field}
          value={name}
          onInput={(e) => setName(e.currentTarget.value)}
          placeholder={t("openChannel")}
          autocomplete="off"
          maxLength={128}
        />
        <button type="submit">{t("open")}</button>
      </form>
      <div class="self">
        <Online app={app} />
        <span class={`name ${hue(app.user.value)}`} dir="auto">
          {app.user.value}
        </span>
        <Settings app={app} />
      </div>
    </>
  );
}

/** Whether one is connected, beside one's name. The bar above the messages says more. */
function Online({ app }: { app: App }) {
  const online = app.connection.value.status === "online";
  const text = t(online ? "online" : "notOnline");
  return (
    <span class={online ? "online yes" : "online"} title={text}>
      <span class="unseen">{text}</span>
    </span>
  );
}

function Entry({ app, view }: { app: App; view: ChannelView }) {
  const { name } = view.channel;
  const unread = view.unread.value;
  const current = view === app.active.value;
  return (
    <li class={current ? "current" : ""}>
      <a href={hashOf(name)} aria-current={current ? "page" : undefined}>
        <span class="name" dir="auto">
          {name}
        </span>
        {view.shutOut && (
          <span class="shut muted" title={t("noEntry")}>
            <Icon name="lock" />
            <span class="unseen">{t("noEntry")}</span>
          </span>
        )}
        {unread > 0 && (
          <span class="badge">
            {unread > 99 ? "99+" : unread}
            <span class="unseen"> {t("unread", { n: unread })}</span>
          </span>
        )}
      </a>
      <button
        type="button"
        class="quiet"
        aria-label={t("leaveNamed", { name })}
        title={t("leave")}
        // The next one slides below the pointer: a second click is not meant for it.
        onClick={(e) => e.detail < 2 && app.leave(view)}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}
