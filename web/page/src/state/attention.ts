import { signal } from "@preact/signals";
import type { Message } from "@parley-chat/sdk";
import { browser } from "./storage.ts";

/** Desktop notifications, where the user asked for them. */
export class Attention {
  readonly enabled = signal(browser.get<boolean>("notify") === true && permitted());
  /** The browser or its user said no. */
  readonly denied = signal(false);

  async enable(wanted: boolean): Promise<void> {
    if (wanted && "Notification" in window && !permitted()) {
      await Notification.requestPermission();
    }
    this.enabled.value = wanted && permitted();
    this.denied.value = wanted && !this.enabled.value;
    browser.set("notify", this.enabled.value);
  }

  /** Tells of a message while the page is out of sight. */
  notify(message: Message, open: () => void): void {
    if (!this.enabled.value || document.visibilityState === "visible") return;
    try {
      const notification = new Notification(`${message.user} – ${message.channel}`, {
        body: message.body.slice(0, 200),
        tag: message.channel,
        icon: "/icon.svg",
      });
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
