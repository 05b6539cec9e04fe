import { expect, inject, test } from "vitest";
import { enter, findings, openWindow, screenshot } from "../support/browser.ts";
import { atRest } from "../support/scrolling.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

test("a short list is at the bottom, and its times are where one looks", async () => {
  const { page, problems } = await openWindow(browser);
  const channel = fresh("short");
  const room = await somebody("grace").join(channel);
  for (const text of ["one", "two", "three ".repeat(60)]) await room.send(text);
  await enter(page, inject("server"), "ada", channel);
  const last = page.locator(".message", { hasText: "three" });
  await last.waitFor();
  await atRest(page);
  const box = (await last.boundingBox())!;
  const scroller = (await page.locator(".scroller").boundingBox())!;
  expect(scroller.y + scroller.height - box.y - box.height).toBeLessThan(20);
  const first = page.locator(".message", { hasText: "one" });
  expect(await first.locator(".by time").innerText()).toMatch(/^\d\d:\d\d$/);
  const time = page.locator(".message", { hasText: "two" }).locator("time");
  const opacity = () => time.evaluate((time) => getComputedStyle(time).opacity);
  expect(await opacity()).toBe("0");
  await page.locator(".message", { hasText: "two" }).hover();
  expect(await opacity()).toBe("1");
  await page.mouse.move(0, 0);
  await page.locator(".message", { hasText: "two" }).focus();
  expect(await opacity()).toBe("1");
  // About 72 characters: one wants to find the next line again.
  expect((await last.locator(".body").boundingBox())!.width).toBeLessThan(720);
  await screenshot(page, "lines");
  expect(problems).toEqual([]);
});

test("a date floats over what one reads back in, and goes at the end", async () => {
  const { page } = await openWindow(browser);
  const channel = fresh("floats");
  const room = await somebody("grace").join(channel, { maxPending: 200 });
  await Promise.all(Array.from({ length: 120 }, (_, i) => room.send(`message ${i}`)));
  await enter(page, inject("server"), "ada", channel);
  await page.locator(".message", { hasText: "message 119" }).waitFor();
  await atRest(page);
  expect(await page.locator(".floating-date").count()).toBe(0);
  await page.locator(".scroller").evaluate((scroller) => (scroller.scrollTop -= 600));
  const today = new Intl.DateTimeFormat("en-GB", { dateStyle: "full" }).format(new Date());
  await until("the date", async () => (await page.locator(".floating-date").allTextContents()).join() === today);
  // All of them are by one author: on every screen somebody's name is in sight.
  expect(await page.locator(".message.head").count()).toBeGreaterThanOrEqual(1);
  await page.getByRole("button", { name: "Jump to the newest" }).click();
  await page.locator(".floating-date").waitFor({ state: "detached" });
});

test("in colours of the reader's own, nothing is told by a ground alone", async () => {
  const { page } = await openWindow(browser, { forcedColors: "active" });
  const channel = fresh("forced");
  const room = await somebody("grace").join(channel);
  await room.send("hello @ada, see `code`", { mentions: ["ada"] });
  await enter(page, inject("server"), "ada", channel);
  const mentioned = page.locator(".message.mentioned");
  await mentioned.locator("mark").waitFor();
  const border = (selector: string) =>
    page.locator(selector).evaluate((one) => getComputedStyle(one).borderInlineStartColor);
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect(await border(".message.mentioned")).not.toBe(ground);
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "forced-colors");
});
