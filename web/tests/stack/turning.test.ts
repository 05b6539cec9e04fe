import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, openWindow } from "../support/browser.ts";
import { atRest } from "../support/scrolling.ts";
import { browser, fresh, somebody } from "../support/stage.ts";

/** A phone that is turned, and its keyboard that comes and goes. */

const upright = { width: 390, height: 844 };
const sideways = { width: 844, height: 390 };
/** What a keyboard leaves of it. */
const typing = { width: 390, height: 480 };

/** A phone in a channel with messages of all lengths. */
async function phone(name: string) {
  const channel = fresh(name);
  const room = await somebody("bob").join(channel, { maxPending: 200 });
  const text = (i: number) => `note ${i}: ${"They turned it round to see more of the line. ".repeat(1 + (i % 7))}`;
  await Promise.all(Array.from({ length: 150 }, (_, i) => room.send(text(i))));
  const { page, problems } = await openWindow(browser, { viewport: upright, hasTouch: true });
  await enter(page, inject("server"), "ada", channel);
  await page.locator(".message", { hasText: "note 149:" }).waitFor();
  return { page, problems };
}

/** Turns it, and waits until what follows from that was drawn. */
async function turn(page: Page, size: { width: number; height: number }): Promise<void> {
  await page.setViewportSize(size);
  await page.waitForFunction((size) => innerWidth === size.width && innerHeight === size.height, size);
  await page.evaluate(async () => {
    for (let i = 0; i < 6; i++) await new Promise(requestAnimationFrame);
  });
}

/** The texts of the messages that are in sight, be it in part. */
function inSight(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { top, bottom } = document.querySelector(".scroller")!.getBoundingClientRect();
    return [...document.querySelectorAll<HTMLElement>("article.message")]
      .filter((message) => {
        const box = message.getBoundingClientRect();
        return box.bottom > top + 1 && box.top < bottom - 1;
      })
      .map((message) => message.querySelector(".body")!.textContent!.split(":")[0]!);
  });
}

/** Reads back, some way from the end. */
async function readBack(page: Page): Promise<void> {
  await page.locator(".scroller").hover();
  for (let i = 0; i < 8; i++) {
    await page.mouse.wheel(0, -500);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
  await page.locator(".jump").waitFor();
  await atRest(page);
}

test("what one reads stays in sight, however often a phone is turned", async () => {
  const { page, problems } = await phone("turned");
  await readBack(page);
  const [, read] = await inSight(page);
  for (let i = 0; i < 3; i++) {
    for (const size of [sideways, upright]) {
      await turn(page, size);
      await expect.poll(() => inSight(page)).toContain(read);
    }
  }
  expect(problems).toEqual([]);
});

test("a phone that is turned at the end of the list stays there", async () => {
  const { page } = await phone("end");
  for (let i = 0; i < 3; i++) {
    for (const size of [sideways, upright]) {
      await turn(page, size);
      await expect.poll(async () => (await inSight(page)).at(-1)).toBe("note 149");
      await expect.poll(() => page.locator(".jump").count()).toBe(0);
    }
  }
});

test("a message that is chosen while a phone turns does not take the end of the list", async () => {
  const { page } = await phone("chosen");
  // The page hears of a turn first, then its elements: what it draws between is of neither.
  await page.evaluate(() => {
    const articles = document.querySelectorAll<HTMLElement>("article.message");
    let turns = 0;
    addEventListener("resize", () => articles[articles.length - 1 - (turns++ % 2)]!.focus({ preventScroll: true }));
  });
  for (const size of [sideways, upright, sideways]) {
    await turn(page, size);
    await expect.poll(async () => (await inSight(page)).at(-1)).toBe("note 149");
  }
});

test("the keyboard takes neither the end of the list nor what one reads", async () => {
  const { page } = await phone("typing");
  await page.locator("#composer").focus();
  for (const size of [typing, upright, typing]) {
    await turn(page, size);
    await expect.poll(async () => (await inSight(page)).at(-1)).toBe("note 149");
    expect(await page.evaluate(() => document.activeElement!.id)).toBe("composer");
  }
  await turn(page, upright);
  await readBack(page);
  const [, read] = await inSight(page);
  for (const size of [typing, upright, typing, upright]) {
    await turn(page, size);
    await expect.poll(() => inSight(page)).toContain(read);
  }
});

test("a side that is open stays so while there is no room for it beside the messages", async () => {
  const { page } = await phone("sides");
  const toggle = (name: string) => page.getByRole("button", { name, exact: true, expanded: false });
  await toggle("Members").click();
  await turn(page, sideways);
  await expect.poll(() => page.locator("#members").isVisible()).toBe(true);
  await turn(page, upright);
  await expect.poll(() => page.locator("#members").isVisible()).toBe(true);
  await page.locator("#members").getByRole("button", { name: "Close" }).click();

  // Sideways there is room for the channels, and nothing over the messages.
  await toggle("Channels").click();
  await turn(page, sideways);
  await page.locator(".shade").waitFor({ state: "detached" });
  await expect.poll(() => page.locator("#channels").isVisible()).toBe(true);
  await expect.poll(() => page.locator("main").evaluate((main: HTMLElement) => main.inert)).toBe(false);
});

test("a search stays as it is when a phone is turned", async () => {
  const { page } = await phone("search");
  await page.getByRole("button", { name: "Search messages" }).click();
  const field = page.getByRole("searchbox");
  await field.fill("line");
  await turn(page, sideways);
  expect(await field.inputValue()).toBe("line");
  expect(await field.evaluate((field) => document.activeElement === field)).toBe(true);
  await turn(page, upright);
  expect(await field.inputValue()).toBe("line");
});
