import type { Client } from "@parley-chat/sdk";
import { expect, inject, test } from "vitest";
import { enter, findings, openWindow, say, screenshot } from "../support/browser.ts";
import { browser, clients, fresh, somebody } from "../support/stage.ts";

const conversation: [user: string, body: string, to?: string][] = [
  ["grace", "Morning! The new build is on staging."],
  ["grace", "Release notes: https://example.org/notes/2.4"],
  ["linus", "Nice. Did the migration go through?"],
  ["grace", "It did, 14 seconds for a million rows 🎉"],
  ["小明", "太好了！我来测试一下。"],
  ["linus", "I will keep an eye on the graphs"],
  ["grace", "Could you look at the error budget with me before lunch?", "ada"],
  ["小明", "登录和历史记录都没问题。\n断线重连也正常。"],
];

async function scene(name: string): Promise<string> {
  const channel = fresh(name);
  const joined = new Map<string, Awaited<ReturnType<Client["join"]>>>();
  for (const user of new Set(conversation.map(([user]) => user))) {
    const client = somebody(user);
    joined.set(user, await client.join(channel));
  }
  for (const [user, body, to] of conversation) {
    await joined.get(user)!.send(body, to === undefined ? {} : { to });
  }
  return channel;
}

const looks = [
  { name: "light", options: { colorScheme: "light" as const } },
  { name: "dark", options: { colorScheme: "dark" as const } },
  {
    name: "phone",
    options: { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true },
  },
];

test.each(looks)("$name: nothing serious in the way of anybody", async ({ name, options }) => {
  const { page, problems } = await openWindow(browser, options);
  await page.goto(inject("server"));
  await page.getByLabel("Your name").waitFor();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, `${name}-sign-in`);

  const channel = await scene("design");
  await enter(page, inject("server"), "ada", channel);
  await page.getByText("断线重连也正常").waitFor();
  await say(page, "Thank you all! On my way.");
  await page.locator(".message.own:not(.pending)").waitFor();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, `${name}-chat`);

  await page.locator(".message .more").first().click({ force: true });
  await page.getByRole("dialog").waitFor();
  expect(await findings(page)).toEqual([]);
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  expect(problems).toEqual([]);
});

test("phone: the sides come on demand, and nothing is wider than the screen", async () => {
  const { page } = await openWindow(browser, looks[2]!.options);
  await enter(page, inject("server"), "ada", await scene("phone"));
  expect(await page.locator("#channels").isVisible()).toBe(false);
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  expect(await wide()).toBe(false);
  await page.getByRole("button", { name: "Members" }).click();
  await page.locator("#members").getByText("grace").waitFor();
  await screenshot(page, "phone-members");
  await page.locator(".shade").click({ position: { x: 20, y: 400 } });
  await page.getByRole("button", { name: "Channels" }).click();
  await page.getByLabel("Open a channel").waitFor();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "phone-channels");
  expect(await wide()).toBe(false);
});

test("dark can be chosen whatever the system says", async () => {
  const { page } = await openWindow(browser, { colorScheme: "light" });
  await enter(page, inject("server"), "ada", await scene("theme"));
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Appearance").selectOption("dark");
  expect(await findings(page)).toEqual([]);
  expect(await ground()).not.toBe(light);
  await screenshot(page, "settings");
});

test("writing to one person, and leaving, on a phone", async () => {
  const options = { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true };
  const { page } = await openWindow(browser, options);
  const channel = await scene("asks");
  await enter(page, inject("server"), "ada", channel);
  await page.locator(".author", { hasText: "linus" }).first().click();
  await page.locator("#composer").fill("between us");
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "phone-private");
  await page.locator('[aria-controls="channels"]').click();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "phone-conversations");
  await page.getByRole("link", { name: channel }).click();
  await page.getByRole("button", { name: "Channel options" }).click();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "phone-channel");
  await page.getByRole("button", { name: "Leave channel" }).click();
  await page.getByText(`You left ${channel}.`).waitFor();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "phone-left");
});

test("new messages are read out, the list's own changes are not", async () => {
  const channel = await scene("aloud");
  const { page } = await openWindow(browser);
  await enter(page, inject("server"), "ada", channel);
  await page.getByText("断线重连也正常").waitFor();
  const log = page.getByRole("log");
  expect(await log.textContent()).toBe("");
  await clients[0]!.channel(channel).send("one more thing");
  await log.getByText("grace: one more thing").waitFor();
  expect(await page.locator(".scroller [aria-live]").count()).toBe(0);
});

test.each(["en-GB", "zh-CN"])("the field that opens channels says so in full, at every width, in %s", async (locale) => {
  const { page } = await openWindow(browser, { locale });
  await page.goto(inject("server"));
  await page.locator("#user").fill("ada");
  await page.locator("#channel").fill(fresh("hint"));
  await page.locator("form button[type=submit]").click();
  const field = page.locator("#open-channel");
  for (const width of [720, 1000, 1600]) {
    await page.setViewportSize({ width, height: 760 });
    await page.waitForFunction((width) => innerWidth === width, width);
    const [text, room] = await field.evaluate((field: HTMLInputElement) => {
      const { font, paddingLeft, paddingRight } = getComputedStyle(field);
      const context = document.createElement("canvas").getContext("2d")!;
      context.font = font;
      const room = field.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
      return [context.measureText(field.placeholder).width, room];
    });
    expect(room, `${width} px wide`).toBeGreaterThanOrEqual(text!);
  }
});

test("the way back to a channel that was left is one line, and hides nothing of what one writes", async () => {
  const { page } = await openWindow(browser, { locale: "zh-CN", viewport: { width: 390, height: 780 } });
  const [stays, left] = [fresh("stays"), fresh("一个名字很长很长的频道")];
  await page.goto(inject("server"));
  await page.locator("#user").fill("ada");
  await page.locator("#channel").fill(stays);
  await page.locator("form button[type=submit]").click();
  await page.getByRole("heading", { name: stays, exact: true }).waitFor();
  await page.evaluate((name) => (location.hash = `#/${encodeURIComponent(name)}`), left);
  await page.getByRole("heading", { name: left, exact: true }).waitFor();
  await page.locator(".channel-menu").click();
  await page.getByRole("dialog").getByRole("button", { name: "离开频道" }).click();
  const offer = page.locator(".departed p");
  const [box, field] = [(await offer.boundingBox())!, (await page.locator(".field").boundingBox())!];
  expect(box.y + box.height).toBeLessThanOrEqual(field.y);
  const lines = await offer.getByRole("button", { name: "撤销" }).evaluate((button) => {
    const range = document.createRange();
    range.selectNodeContents(button);
    return range.getClientRects().length;
  });
  expect(lines).toBe(1);
});
