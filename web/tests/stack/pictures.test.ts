import type { Client } from "@parley-chat/sdk";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContextOptions, Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, findings, openWindow, say } from "../support/browser.ts";
import { enterAs, memberOf, moderating } from "../support/guarded.ts";
import { everything, tokenOf } from "../support/site.ts";
import { browser, somebody } from "../support/stage.ts";
import { start, still } from "../support/still.ts";
import { lookSmall } from "../support/small.ts";
import { until } from "../support/wait.ts";

/**
 * The page in each of its states: axe finds nothing in it, nothing is wider than
 * the screen, and `make screenshots` keeps a picture of it in docs/images.
 */

const web = fileURLToPath(new URL("../../", import.meta.url));
const folder = join(web, process.env.PARLEY_SCREENSHOTS ?? "test-output/pictures");
mkdirSync(folder, { recursive: true });

const desktop = { viewport: { width: 1080, height: 640 } };
const phone = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };

async function open(options: BrowserContextOptions = desktop): Promise<Page> {
  const { page } = await openWindow(browser, { timezoneId: "UTC", ...options });
  await still(page);
  return page;
}

async function look(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0);
  expect(await findings(page, true), name).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), name).toBe(false);
  await page.screenshot({ path: join(folder, `page-${name}.png`), caret: "hide" });
  await lookSmall(page, name);
}

const conversation: [user: string, body: string, to?: string][] = [
  ["grace", "Morning! The new build is on staging."],
  ["grace", "Release notes: https://example.org/notes/2.4"],
  ["linus", "Nice. Did the migration go through?"],
  ["grace", "It did: **14 seconds** for a million rows 🎉"],
  ["小明", "太好了！我来测试一下。"],
  ["linus", "I will keep an eye on the graphs"],
  ["grace", "Could you look at the error budget with me before lunch?", "ada"],
  ["小明", "登录和历史记录都没问题。\n断线重连也正常。"],
];

/** Three people in a channel, who have talked before anybody came to look. */
async function talk(channel: string): Promise<Map<string, Client>> {
  const people = new Map<string, Client>();
  for (const user of ["grace", "linus", "小明"]) {
    people.set(user, somebody(user));
    await people.get(user)!.join(channel);
  }
  for (const [user, body, to] of conversation) {
    await people.get(user)!.channel(channel).send(body, to === undefined ? {} : { to });
  }
  return people;
}

const also = async (page: Page, name: string) => {
  await page.getByLabel("Open a channel").fill(name);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name }).waitFor();
};

test("signing in, an empty channel, and none", async () => {
  const page = await open();
  await page.goto(inject("server"));
  await page.getByText("Names are not verified here").waitFor();
  await look(page, "sign-in");
  const debug = await page.context().newCDPSession(page);
  const { url, errors } = await debug.send("Page.getAppManifest");
  expect(url).toBe(`${inject("server")}/manifest.webmanifest`);
  expect(errors).toEqual([]);
  await enter(page, inject("server"), "ada", "book-club");
  await page.getByText("This is the beginning of book-club.").waitFor();
  await look(page, "empty");
  await page.getByRole("button", { name: "Channel options" }).click();
  await page.getByRole("button", { name: "Leave channel" }).click();
  await page.getByText("You left book-club.").waitFor();
  await look(page, "no-channel");
});

test("chatting, in light and dark, and alone with one", async () => {
  const people = await talk("release");
  const page = await open();
  await enter(page, inject("server"), "ada", "release");
  await page.locator(".message", { hasText: "断线重连也正常" }).waitFor();
  await say(page, "Thank you all! Let's ship it.");
  await page.locator(".message.own:not(.pending)").waitFor();
  for (const name of ["support", "雨天读书会"]) {
    await also(page, name);
    await page.getByText("1 here").waitFor();
    const room = await people.get("grace")!.join(name);
    await page.getByRole("link", { name: "release" }).click();
    await page.getByRole("heading", { name: "release" }).waitFor();
    await room.send("hello @ada", name === "support" ? { mentions: ["ada"] } : {});
  }
  await people.get("grace")!.channel("release").send("Half past eleven?", { to: "ada" });
  await page.locator("#channels .badge").nth(2).waitFor();
  await look(page, "light");
  await page.emulateMedia({ colorScheme: "dark" });
  await look(page, "dark");
  await page.emulateMedia({ forcedColors: "active" });
  await look(page, "forced-colors");
  await page.emulateMedia({ colorScheme: "light", forcedColors: "none" });
  await page.reload(); // or Chromium may go on drawing the ground of those colours
  await page.locator(".talks").getByRole("link", { name: "grace" }).click();
  await page.locator(".message", { hasText: "error budget" }).waitFor();
  await say(page, "Sure, see you then.");
  await page.locator(".message.own:not(.pending)").waitFor();
  await look(page, "private");
  await page.getByRole("button", { name: "Conversation options" }).click();
  await look(page, "conversation-menu");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "release" }).click();
  await page.locator(".message", { hasText: "migration" }).hover();
  await page.getByRole("button", { name: "Reply to the message by linus" }).first().click();
  await look(page, "reply");
  await page.getByRole("button", { name: "Channel options" }).click();
  await look(page, "channel-menu");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Search messages" }).click();
  await until("the search", async () => {
    await page.getByRole("searchbox").fill("the");
    await page.getByRole("searchbox").press("Enter");
    await page.getByRole("button", { name: "Search", exact: true, disabled: false }).waitFor();
    return (await page.getByRole("dialog").getByRole("listitem").count()) >= 4;
  });
  await look(page, "search");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Settings" }).click();
  await look(page, "settings");
});

test("on a phone, in Chinese and at 400 %", async () => {
  await talk("launch");
  const page = await open(phone);
  await enter(page, inject("server"), "ada", "launch");
  await page.locator(".message", { hasText: "断线重连也正常" }).waitFor();
  await look(page, "phone");
  await page.getByRole("button", { name: "Channels" }).click();
  await page.getByLabel("Open a channel").waitFor();
  await look(page, "phone-channels");
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Language").selectOption("zh");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await look(page, "phone-chinese");
  // What 1,280 pixels are at 400 %.
  await page.setViewportSize({ width: 320, height: 256 });
  await look(page, "zoomed");
});

test("without a connection", async () => {
  const page = await open();
  await page.clock.setFixedTime(start);
  let dead = false;
  let close = () => {};
  await page.routeWebSocket("**/ws", (socket) => {
    if (dead) return void socket.close({ code: 1011 });
    close = () => void socket.close({ code: 1011 });
    socket.connectToServer();
  });
  await enter(page, inject("server"), "ada", "harbour");
  dead = true;
  await page.context().setOffline(true);
  close();
  await page.getByText("You are offline. Messages are sent when you are back online.").waitFor();
  await say(page, "Written in a tunnel.");
  await page.locator(".message.pending").waitFor();
  await look(page, "offline");
});

test("a moderator, and somebody who is muted", async () => {
  const grace = await memberOf("grace", "town-hall", moderating);
  await grace.set({ topic: "Questions for Friday. Be kind to each other." });
  await grace.send("Welcome! Write your questions here.");
  const page = await open();
  await enterAs(page, tokenOf("ada", 600, moderating), "town-hall");
  await page.getByRole("button", { name: "Moderation" }).click();
  await page.getByLabel("Slow mode: time between messages").waitFor();
  await look(page, "moderator");

  const muted = await open();
  await enterAs(muted, tokenOf("eve", 600, everything), "town-hall");
  await grace.mute("eve", { reason: "Advertisements" });
  await muted.getByText("You are muted here.").waitFor();
  await look(muted, "muted");
});
