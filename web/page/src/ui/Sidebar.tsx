import { useRef, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { excessOf, MAX_NAME } from "../state/long.ts";
import { hue } from "../state/names.ts";
import { hashOf } from "../state/route.ts";
import type { ChannelView } from "../state/view.ts";
import { Avatar } from "./Avatar.tsx";
import { useFocusKept } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { Settings } from "./Settings.tsx";
import { TooLong } from "./TooLong.tsx";

/** The channels side by side, and one's own name. */
export function Sidebar({ app }: { app: App }) {
  const [name, setName] = useState("");
  const list = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  useFocusKept(list, field);
  const excess = excessOf(name.trim(), MAX_NAME);
  const submit = (event: Event) => {
    event.preventDefault();
    if (name.trim() === "") return;
    app.open(name.trim());
    setName("");
  };
  return (
    <>
      <div class="grow" ref={list}>
        <h2>{t("channels")}</h2>
        <ul class="list">
          {app.views.value.map((view) => (
            <Entry key={view.channel.name} app={app} view={view} />
          ))}
        </ul>
        <Conversations app={app} />
      </div>
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
          aria-invalid={excess > 0}
        />
        <button type="submit" disabled={excess > 0}>
          {t("open")}
        </button>
        <TooLong by={excess} />
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

/** The private conversations, below the names of their channels. */
function Conversations({ app }: { app: App }) {
  const views = app.views.value.filter((view) => view.reading.peers.value.length > 0);
  if (views.length === 0) return null;
  return (
    <>
      <h2>{t("privately")}</h2>
      {views.map((view) => {
        const { name } = view.channel;
        return (
          <section key={name} aria-label={t("privatelyIn", { name })}>
            <p class="group muted" dir="auto">
              {name}
            </p>
            <ul class="list talks">
              {view.reading.peers.value.map((peer) => (
                <Entry key={peer} app={app} view={view} peer={peer} />
              ))}
            </ul>
          </section>
        );
      })}
    </>
  );
}

/** A channel, or a private conversation in one. */
function Entry({ app, view, peer }: { app: App; view: ChannelView; peer?: string }) {
  const { name } = view.channel;
  const { count } = view.reading.of(peer);
  const off = peer === undefined && app.attention.level(name) === "none";
  const current = view === app.active.value && view.privateTo.value === peer;
  const follow = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault(); // the browser would follow it later, when something may be typed already
    app.open(name, peer);
  };
  const waits = !current && view.keeps(peer);
  return (
    <li class={`${current ? "current" : ""} ${off ? "off" : count > 0 ? "unread" : ""}`}>
      <a href={hashOf(name, peer)} aria-current={current ? "page" : undefined} onClick={follow}>
        {peer !== undefined && <Avatar user={peer} small />}
        <span class="name" dir="auto">
          {peer ?? name}
        </span>
        <span class="marks">
          {waits && (
            <span class="muted" title={t("draftWaits")}>
              <Icon name="edit" />
              <span class="unseen">{t("draftWaits")}</span>
            </span>
          )}
          {off && (
            <span class="muted" title={t("levelNone")}>
              <Icon name="silent" />
              <span class="unseen">{t("levelNone")}</span>
            </span>
          )}
          {view.shutOut && peer === undefined && (
            <span class="shut muted" title={t("noEntry")}>
              <Icon name="lock" />
              <span class="unseen">{t("noEntry")}</span>
            </span>
          )}
          <Badge view={view} peer={peer} />
        </span>
      </a>
    </li>
  );
}

/** How many messages are unread; in another colour what is for the user. */
function Badge({ view, peer }: { view: ChannelView; peer: string | undefined }) {
  const { count, mentions, more } = view.reading.of(peer);
  if (count === 0) return null;
  const n = count > 99 ? "99+" : `${count}${more ? "+" : ""}`;
  return (
    <span class={mentions > 0 || peer !== undefined ? "badge direct" : "badge"}>
      {mentions > 0 && "@"}
      {n}
      <span class="unseen"> {t("unread", { n })}</span>
      {mentions > 0 && <span class="unseen">, {t("mentions", { n: mentions })}</span>}
    </span>
  );
}
