import { signal } from "@preact/signals";
import type { Message } from "@parley-chat/sdk";
import { plain } from "./i18n.ts";
import { browser, isBoolean } from "./storage.ts";

/** Desktop notifications, where the user asked for them. */
export class Attention {
  readonly enabled = signal(browser.get("notify", isBoolean) === true && permitted());
  /** The browser or its user refused. */
  readonly denied = signal(false);

  async enable(wanted: boolean): Promise<void> {
    if (wanted && "Notification" in window && !permitted()) {
      await Notification.requestPermission();
    }
    this.enabled.value = wanted && permitted();
    this.denied.value = wanted && !this.enabled.value;
    browser.set("notify", this.enabled.value);
  }

  /** Announces a message while the page is out of sight. */
  notify(message: Message, open: () => unknown): void {
    if (!this.enabled.value || document.visibilityState === "visible") return;
    try {
      const options: NotificationOptions & { renotify: boolean } = {
        body: message.body.slice(0, 200),
        // One for each channel; every message of it alerts.
        tag: message.channel,
        renotify: true,
        icon: "icon.svg",
      };
      const title = plain(`${message.user} – ${message.channel}`);
      const notification = new Notification(title, options);
      notification.onclick = () => {
        window.focus();
        open();
        notification.close();
      };
    } catch {
      // Phones allow notifications from a service worker only.
    }
  }
}

function permitted(): boolean {
  return "Notification" in window && Notification.permission === "granted";
}
