import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { findings, openWindow } from "../support/browser.ts";
import { browser, somebody } from "../support/stage.ts";
import { start, still } from "../support/still.ts";
import { until } from "../support/wait.ts";

/**
 * What a new user looks for, found from the first screen by what can be seen alone:
 * each control is pressed where it is drawn, and nothing is pressed that is not drawn.
 * `make screenshots` keeps a picture of every step in docs/images/paths.
 */

const web = fileURLToPath(new URL("../../", import.meta.url));
const folder = join(web, process.env.PARLEY_SCREENSHOTS ?? "test-output/pictures", "paths");
mkdirSync(folder, { recursive: true });

const desktop = { viewport: { width: 1024, height: 560 } };
const phone = { viewport: { width: 360, height: 620 }, hasTouch: true, isMobile: true };
const DAY = 24 * 60 * 60_000;

/** One user's way through the page, at the first screen. */
class Walk {
  readonly page: Page;
  readonly #name: string;
  readonly #touch: boolean;
  #steps = 0;
  #resting = false;

  private constructor(page: Page, name: string, touch: boolean) {
    this.page = page;
    this.#name = name;
    this.#touch = touch;
  }

  static async begin(name: string, options: BrowserContextOptions, at?: (seq: number) => number) {
    const { page } = await openWindow(browser, { timezoneId: "UTC", ...options });
    await page.clock.setFixedTime(start + DAY / 4);
    await still(page, at);
    await page.goto(inject("server"));
    return new Walk(page, name, options.hasTouch ?? false);
  }

  /** Signs in by the first screen, and is in the channel. */
  async enter(channel: string, pictures = false): Promise<void> {
    await this.write("Your name", "ada");
    await this.write("Channel", channel);
    if (pictures) await this.step();
    await this.press("button", "Enter");
    await this.page.getByRole("heading", { name: channel, exact: true }).waitFor();
  }

  /** Presses what has a name, where it is drawn. */
  async press(role: "button" | "link" | "textbox" | "searchbox", name: string | RegExp): Promise<void> {
    await this.#press(this.page.getByRole(role, { name, exact: true }).last());
  }

  /** Empties a field by its name, and writes in it. */
  async write(name: string | RegExp, text: string): Promise<void> {
    await this.press("textbox", name);
    await this.page.keyboard.press("ControlOrMeta+A");
    await this.page.keyboard.type(text);
  }

  /** The pointer rests on something, as that of somebody who wonders what it is. */
  async rest(on: Locator): Promise<void> {
    const { x, y } = await middle(on);
    await this.page.mouse.move(x, y);
    this.#resting = true;
  }

  async #press(control: Locator): Promise<void> {
    const { x, y } = await middle(control);
    this.#resting = false;
    if (this.#touch) await this.page.touchscreen.tap(x, y);
    else await this.page.mouse.click(x, y);
  }

  /** One step is done: nobody is kept from it, and nothing is wider than the screen. */
  async step(): Promise<void> {
    const name = `${this.#name}-${++this.#steps}`;
    expect(await findings(this.page, true), name).toEqual([]);
    const wide = await this.page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(wide, name).toBe(false);
    expect(await this.page.evaluate(outOfDialogs), name).toEqual([]);
    if (!this.#resting) await this.page.mouse.move(0, 0);
    await this.page.screenshot({ path: join(folder, `${name}.png`), caret: "hide" });
  }
}

/** What is drawn over the edge of the dialog it is in. */
function outOfDialogs(): string[] {
  return [...document.querySelectorAll("dialog[open]")].flatMap((dialog) => {
    const { left, right } = dialog.getBoundingClientRect();
    const edge = parseFloat(getComputedStyle(dialog).paddingRight) - 1;
    return [...dialog.querySelectorAll(":scope *:not(.unseen)")]
      .filter((element) => {
        const box = element.getBoundingClientRect();
        return box.width > 0 && (box.right > right - edge || box.left < left + edge);
      })
      .map((element) => element.outerHTML);
  });
}

/** Where a control is drawn, once it is: opaque, on the screen, and below nothing else. */
async function middle(control: Locator): Promise<{ x: number; y: number }> {
  await control.waitFor();
  let at: { x: number; y: number } | undefined;
  await until(`${control} to be seen`, async () => {
    at = await control.evaluate((element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      const [x, y] = [left + width / 2, top + height / 2];
      const drawn = element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
      return drawn && element.contains(document.elementFromPoint(x, y)) ? { x, y } : undefined;
    });
    return at !== undefined;
  });
  return at!;
}

const message = (page: Page, text: string) => page.getByRole("listitem").filter({ hasText: text });

/** People who have talked in a channel before anybody came to look. */
async function talk(channel: string, texts: [user: string, body: string][]) {
  const people = new Map(["grace", "linus", "小明"].map((user) => [user, somebody(user)]));
  for (const person of people.values()) await person.join(channel);
  const of = (user: string) => people.get(user)!.channel(channel);
  const seqs: number[] = [];
  for (const [user, body] of texts) seqs.push((await of(user).send(body)).seq!);
  return { of, seqs };
}

test("a message of yesterday", async () => {
  const yesterday: [string, string][] = [
    ["linus", "The greenhouse is booked for Saturday."],
    ["grace", "The key is under the blue pot."],
    ["小明", "好的，我带种子。"],
  ];
  const today = Array.from({ length: 30 }, (_, i): [string, string] => [
    ["grace", "linus", "小明"][Math.floor(i / 3) % 3]!,
    ["Watered the beds", "The first tomatoes are in", "今天下雨了", "Who has the rake?"][i % 4]!,
  ]);
  const old = (await talk("garden", yesterday)).seqs;
  const seqs = old.concat((await talk("garden", today)).seqs);
  const at = (seq: number) => start + 60_000 * seqs.indexOf(seq) - (old.includes(seq) ? DAY : 0);
  const walk = await Walk.begin("yesterday", desktop, at);
  const { page } = walk;
  await walk.enter("garden", true);
  await message(page, "The first tomatoes are in").last().waitFor();
  await walk.step();
  const key = message(page, "The key is under the blue pot.");
  expect(await key.count()).toBe(0);

  await walk.press("button", "Search messages");
  // What was written just now is found once the tables have it.
  await until("the key to be found", async () => {
    await walk.press("searchbox", "Search messages");
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type("key");
    await walk.press("button", "Search");
    await page.getByRole("button", { name: "Search", exact: true, disabled: false }).waitFor();
    return page.getByRole("button", { name: /The key is under/ }).isVisible();
  });
  await walk.step();
  await walk.press("button", /The key is under/);
  await middle(key);
  await page.getByText(/Sunday,? 22 November 2026/).first().waitFor();
  await walk.step();

  // Or one reads back.
  await walk.press("button", "Jump to the newest");
  await key.waitFor({ state: "detached" });
  await walk.rest(page.getByRole("region", { name: "Messages in garden" }));
  await until("yesterday", async () => {
    await page.mouse.wheel(0, -400);
    return key.isVisible();
  });
  await middle(key);
});

test("replying", async () => {
  await talk("kitchen", [
    ["grace", "Soup on Friday?"],
    ["linus", "Yes! Who brings bread?"],
    ["小明", "我也来。"],
  ]);
  const walk = await Walk.begin("reply", phone);
  await walk.enter("kitchen");
  await message(walk.page, "我也来。").waitFor();
  await walk.step();
  await walk.press("button", "Options for the message by linus");
  await walk.step();
  await walk.press("button", "Reply");
  await walk.page.getByText("Reply to linus").waitFor();
  await walk.write("Message to kitchen", "I do, from the bakery.");
  await walk.step();
  await walk.press("button", "Send");
  const reply = message(walk.page, "I do, from the bakery.");
  await middle(reply.getByRole("button", { name: "Reply to linus: Yes! Who brings bread?" }));
  await walk.step();

  // With a mouse it is beside the message.
  const wide = await Walk.begin("reply-wide", desktop);
  await wide.enter("kitchen");
  await wide.rest(message(wide.page, "Soup on Friday?"));
  await wide.press("button", "Reply to the message by grace");
  await wide.page.getByText("Reply to grace").waitFor();
  await wide.step();
});

test("writing privately", async () => {
  const { of } = await talk("travel", [
    ["grace", "Trains are booked."],
    ["linus", "Great, see you at the station."],
  ]);
  const walk = await Walk.begin("private", desktop);
  await walk.enter("travel");
  await message(walk.page, "see you at the station").waitFor();
  await walk.step();
  await walk.press("button", "linus");
  await walk.page.getByText("Only you and linus see this.").waitFor();
  await walk.write("Private message to linus", "Shall we share a cab?");
  await walk.step();
  await walk.press("button", "Send");
  await message(walk.page, "Shall we share a cab?").getByText("private").waitFor();
  await until("linus to have it", () => of("linus").messages.some(({ to }) => to === "linus"));
  expect(of("grace").messages.map(({ body }) => body)).not.toContain("Shall we share a cab?");
  await walk.step();
});

test("leaving", async () => {
  const { of } = await talk("running", [["grace", "Ten kilometres on Sunday, who is in?"]]);
  const walk = await Walk.begin("leave", phone);
  await walk.enter("running");
  await message(walk.page, "Ten kilometres").waitFor();
  await until("ada to be there", () => of("grace").members.includes("ada"));
  await walk.press("button", "Channel options");
  await walk.step();
  await walk.press("button", "Leave channel");
  await walk.page.getByText("You left running.").waitFor();
  await until("ada to be gone", () => !of("grace").members.includes("ada"));
  await walk.step();
  // It can be taken back.
  await walk.press("button", "Undo");
  await message(walk.page, "Ten kilometres").waitFor();
});

test("being notified only when mentioned", async () => {
  const { of } = await talk("music", [["grace", "Rehearsal is at seven."]]);
  const walk = await Walk.begin("mentions", phone);
  const { page } = walk;
  await page.evaluate(askedForNotifications);
  await walk.enter("music");
  await message(page, "Rehearsal is at seven.").waitFor();
  await walk.press("button", "Channel options");
  await walk.step();
  const level = page.getByRole("combobox", { name: "Notifications" });
  await middle(level);
  await level.selectOption("Mentions and private messages");
  await walk.press("button", "Turn on");
  await page.getByText("Your browser does not show notifications yet.").waitFor({ state: "detached" });
  await walk.step();
  await walk.press("button", "Close");

  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await of("grace").send("Bring your own stand.");
  await of("grace").send("@ada, can you sing the second voice?", { mentions: ["ada"] });
  await message(page, "the second voice").waitFor();
  await expect.poll(() => page.evaluate(() => (window as any).told)).toEqual([
    "grace – music: @ada, can you sing the second voice?",
  ]);
});

/** A browser that was not asked yet, and whose user says yes; what it tells cannot be seen without a desktop. */
function askedForNotifications(): void {
  const told: string[] = ((window as any).told = []);
  (window as any).Notification = class {
    static permission = "default";
    static async requestPermission() {
      return (this.permission = "granted");
    }
    constructor(title: string, { body }: NotificationOptions) {
      told.push(`${title}: ${body}`);
    }
  };
}
