import { useEffect, useState } from "preact/hooks";
import type { App } from "../state/app.ts";
import { t } from "../state/i18n.ts";
import { Announcer } from "./Announcer.tsx";
import { Composer } from "./Composer.tsx";
import { Icon } from "./Icon.tsx";
import { Members } from "./Members.tsx";
import { Messages } from "./Messages.tsx";
import { Sidebar } from "./Sidebar.tsx";
import { ConnectionBar } from "./ConnectionBar.tsx";

type Drawer = "channels" | "members";

/** The chat: channels, messages, and who is here. */
export function Chat({ app }: { app: App }) {
  // On a narrow screen one of the sides lies over the messages.
  const [drawer, setDrawer] = useState<Drawer | undefined>(undefined);
  const toggle = (side: Drawer) => setDrawer(drawer === side ? undefined : side);
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      if (event.key === "Escape") setDrawer(undefined);
      if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
      event.preventDefault();
      app.step(event.key === "ArrowUp" ? -1 : 1);
    };
    window.addEventListener("keydown", listener);
    return () => window.removeEventListener("keydown", listener);
  }, []);
  const view = app.active.value;
  useEffect(() => setDrawer(undefined), [view]);

  return (
    <div class="chat" data-drawer={drawer}>
      <nav id="channels" class="side channels" aria-label={t("channels")}>
        <Sidebar app={app} />
      </nav>
      <main>
        <header class="bar">
          <button
            type="button"
            class="quiet narrow-only"
            aria-label={t("channels")}
            aria-expanded={drawer === "channels"}
            aria-controls="channels"
            onClick={() => toggle("channels")}
          >
            <Icon name="menu" />
            {app.unread.value > 0 && <span class="dot" />}
          </button>
          <h1 dir="auto">{view ? view.channel.name : "Parley"}</h1>
          {view && (
            <button
              type="button"
              class="quiet narrow-only"
              aria-label={t("members")}
              aria-expanded={drawer === "members"}
              aria-controls="members"
              onClick={() => toggle("members")}
            >
              <Icon name="people" />
            </button>
          )}
        </header>
        <ConnectionBar app={app} />
        {view ? (
          <>
            <Messages key={view.channel.name} app={app} view={view} />
            <Composer key={`to ${view.channel.name}`} app={app} view={view} />
          </>
        ) : (
          <p class="empty muted">{t("noChannel")}</p>
        )}
      </main>
      {view && (
        <aside id="members" class="side members" aria-label={t("members")}>
          <Members app={app} view={view} />
        </aside>
      )}
      {drawer && <div class="shade" onClick={() => setDrawer(undefined)} />}
      <Announcer app={app} />
    </div>
  );
}
