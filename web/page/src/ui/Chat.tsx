import { useEffect } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { Access, NoAccess } from "./Access.tsx";
import { Announcer } from "./Announcer.tsx";
import { Ask } from "./Ask.tsx";
import { ChannelMenu } from "./ChannelMenu.tsx";
import { Composer } from "./Composer.tsx";
import { Departed } from "./Departed.tsx";
import { useFocusNear } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { Members } from "./Members.tsx";
import { Messages } from "./Messages.tsx";
import { Member, Moderation } from "./Moderate.tsx";
import { News } from "./News.tsx";
import { Notice } from "./Notice.tsx";
import { Overlay } from "./Overlay.tsx";
import { Pins } from "./Pins.tsx";
import { Sidebar } from "./Sidebar.tsx";
import { Text } from "./Text.tsx";
import { Topic, Typing } from "./Topic.tsx";
import { ConnectionBar } from "./ConnectionBar.tsx";
import { useDrawer, type Drawer } from "./drawer.ts";
import { overlay, useShortcuts } from "./shortcuts.ts";

/** The chat: channels, messages, and who is here. */
export function Chat({ app }: { app: App }) {
  const view = app.active.value;
  // On a narrow screen one of the sides lies over the messages.
  const drawer = useDrawer(view);
  useShortcuts(app, drawer.close);
  useFocusNear();
  void view?.version;
  // Moderators see their buttons beside the messages, not only after a click.
  const inside = view?.channel.state === "joined";
  useEffect(() => void (inside && view?.changes.ask()), [inside, view]);
  const toggle = (side: Drawer, icon: "menu" | "people") => (
    <button
      type="button"
      class="quiet narrow-only"
      aria-label={t(side)}
      aria-expanded={drawer.open === side}
      aria-controls={side}
      onClick={() => drawer.show(side)}
    >
      <Icon name={icon} />
      {side === "channels" && app.unread.value > 0 && <span class="dot" />}
    </button>
  );
  const user = view?.privateTo.value;
  // Each conversation has a list and a field of its own.
  const place = view && `${view.channel.name}\n${user ?? ""}`;
  const close = () => (
    <button type="button" class="quiet close" aria-label={t("close")} onClick={drawer.close}>
      <Icon name="close" />
    </button>
  );

  return (
    <div class="chat" data-drawer={drawer.open}>
      <nav
        id="channels"
        class="side channels"
        aria-label={t("channels")}
        inert={drawer.open === "members"}
      >
        {close()}
        <Sidebar app={app} />
      </nav>
      <main inert={drawer.open !== undefined}>
        <header class="bar">
          {toggle("channels", "menu")}
          <div class="title">
            <h1 dir="auto">{user ?? view?.channel.name ?? "Parley"}</h1>
            {view && user === undefined && <Topic view={view} />}
            {view && user !== undefined && (
              <p class="topic muted">
                <Icon name="lock" /> <Text of="privateIn" with={{ name: view.channel.name }} />
              </p>
            )}
          </div>
          {view && <Moderation key={`moderation of ${view.channel.name}`} view={view} />}
          {view && <Pins key={view.channel.name} view={view} />}
          {view && (
            <button
              type="button"
              class="quiet"
              aria-label={t("search")}
              title={t("search")}
              aria-haspopup="dialog"
              onClick={() => (overlay.value = "search")}
            >
              <Icon name="search" />
            </button>
          )}
          {view && toggle("members", "people")}
          {view && <ChannelMenu app={app} view={view} />}
        </header>
        <ConnectionBar app={app} />
        {view && view.shutOut && view.empty ? (
          <NoAccess app={app} view={view} />
        ) : view ? (
          <>
            <div class="reading">
              <News view={view} />
              <Messages key={place} app={app} view={view} />
            </div>
            <Access app={app} view={view} />
            <Notice view={view} />
            <Typing view={view} />
            <Composer key={`to ${place}`} app={app} view={view} />
          </>
        ) : (
          <div class="empty muted">
            <p>{t("noChannel")}</p>
            <button type="button" class="primary narrow-only" onClick={() => drawer.show("channels")}>
              {t("channels")}
            </button>
          </div>
        )}
      </main>
      {view && (
        <aside id="members" class="side members" aria-label={t("members")}>
          {close()}
          <Members app={app} view={view} />
        </aside>
      )}
      {drawer.open && <div class="shade" onClick={drawer.close} />}
      {view && <Member key={`member of ${view.channel.name}`} app={app} view={view} />}
      <Announcer app={app} />
      <Departed app={app} />
      <Overlay app={app} />
      <Ask app={app} />
    </div>
  );
}
