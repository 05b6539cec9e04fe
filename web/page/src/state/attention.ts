import { signal } from "@preact/signals";
import type { Message } from "@parley-chat/sdk";
import { plain } from "./i18n.ts";
import { unmarked } from "./markup.ts";
import type { Peer } from "./reading.ts";
import { browser, isBoolean, kept } from "./storage.ts";

/** Of what in a channel one is notified: with `mentions`, of private messages, too. */
export type Level = "all" | "mentions" | "none";

type Levels = Readonly<Record<string, Level>>;

/** Channels whose level is remembered; the ones chosen first are forgotten beyond it. */
const MAX_LEVELS = 500;

function isLevels(value: unknown): value is Levels {
  const levels: unknown[] = ["all", "mentions", "none"];
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((level) => levels.includes(level))
  );
}

/** Desktop notifications and a sound, where the user asked for them. */
export class Attention {
  readonly enabled = signal(browser.get("notify", isBoolean) === true && permitted());
  /** The browser or its user refused. */
  readonly denied = signal(false);
  /** Whether there is a sound with a notification. */
  readonly sound = signal(browser.get("sound", isBoolean) === true);
  readonly #levels = signal<Levels>(kept.get("levels", isLevels) ?? {});

  /** Of what in a channel one is notified. */
  level(channel: string): Level {
    return Object.hasOwn(this.#levels.value, channel) ? this.#levels.value[channel]! : "all";
  }

  choose(channel: string, level: Level): void {
    const { [channel]: _, ...others } = this.#levels.value;
    const all = level === "all" ? others : { ...others, [channel]: level };
    this.#levels.value = Object.fromEntries(Object.entries(all).slice(-MAX_LEVELS));
    kept.set("levels", this.#levels.value);
  }

  /** For use in a click: the browser may ask for permission. */
  async enable(wanted: boolean): Promise<void> {
    if (wanted && "Notification" in window && !permitted()) {
      await Notification.requestPermission();
    }
    this.enabled.value = wanted && permitted();
    this.denied.value = wanted && !this.enabled.value;
    browser.set("notify", this.enabled.value);
  }

  setSound(wanted: boolean): void {
    this.sound.value = wanted;
    browser.set("sound", wanted);
    if (wanted) ring();
  }

  /** Announces a message while the page is out of sight. */
  notify(message: Message, peer: Peer, mentioned: boolean, open: () => unknown): void {
    const level = this.level(message.channel);
    if (level === "none" || (level === "mentions" && peer === undefined && !mentioned)) return;
    if (document.visibilityState === "visible") return;
    if (this.sound.value) ring();
    if (!this.enabled.value) return;
    try {
      const options: NotificationOptions & { renotify: boolean } = {
        body: unmarked(message).slice(0, 200),
        // One for each conversation; every message of it alerts.
        tag: peer === undefined ? message.channel : `${message.channel}\n${peer}`,
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

let audio: AudioContext | undefined;

/** A short, soft tone. */
function ring(): void {
  audio ??= new AudioContext();
  const volume = new GainNode(audio, { gain: 0.08 });
  const tone = new OscillatorNode(audio, { frequency: 660 });
  const { currentTime } = audio;
  volume.gain.exponentialRampToValueAtTime(0.001, currentTime + 0.4);
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(currentTime + 0.4);
}
