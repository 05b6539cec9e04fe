import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, leave, openWindow, say, shown } from "../support/browser.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** Ways to use the page that are easily forgotten: without a mouse, out of sight, elsewhere. */

const many = (n: number) => Array.from({ length: n }, (_, i) => `message ${i}`);

/** What has the focus: its text, or its label. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const { id, ariaLabel } = document.activeElement as HTMLElement;
    return id || ariaLabel || document.activeElement!.tagName;
  });

test("the field to write in has the focus as soon as a channel is shown", async () => {
  const { page } = await openWindow(browser);
  const [one, two] = [fresh("focus"), fresh("focus")];
  await enter(page, inject("server"), "ada", one);
  await page.getByLabel("Open a channel").fill(two);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: two }).waitFor();
  const atOnce = await page.evaluate(async (name) => {
    const init = { key: "ArrowUp", altKey: true, bubbles: true };
    document.body.focus();
    window.dispatchEvent(new KeyboardEvent("keydown", init));
    // Microtasks only: no frame is drawn, and no timer runs, in between.
    while (document.querySelector("h1")!.textContent !== name) await Promise.resolve();
    return document.activeElement!.id;
  }, one);
  expect(atOnce).toBe("composer");
});

test("the focus stays on a message, however far the list moves on", async () => {
  const name = fresh("focus");
  const bob = await somebody("bob").join(name);
  for (const body of many(10)) await bob.send(body);
  const { page } = await openWindow(browser);
  await enter(page, inject("server"), "ada", name);
  await page.locator(".message", { hasText: "message 9" }).waitFor();
  const more = page.locator(".message", { hasText: "message 9" }).locator(".more");
  await more.focus();
  await Promise.all(many(150).map((_, i) => bob.send(`later ${i}`)));
  await page.locator(".message", { hasText: "later 149" }).waitFor();
  await until("the list at its end", () => page.locator(".jump").isHidden());
  expect(await page.evaluate(() => document.activeElement!.matches(".more"))).toBe(true);
  await expect.poll(() => page.locator(".message", { hasText: "message 8" }).count()).toBe(0);
  await expect.poll(() => page.locator(".message").count()).toBeLessThan(80);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("Details").waitFor();
  await page.keyboard.press("Escape");
  // It is where it belongs: whoever scrolls there finds it among its neighbours.
  await more.scrollIntoViewIfNeeded();
  const box = (text: string) => page.locator(".message", { hasText: text }).boundingBox();
  await page.locator(".message", { hasText: "message 8" }).waitFor();
  await until("the message below the one before", async () => {
    const [above, below] = [await box("message 8"), await box("message 9")];
    return Math.abs(above!.y + above!.height - below!.y) < 1;
  });
});

test("a control that goes away leaves the focus in its part of the page", async () => {
  const { page } = await openWindow(browser);
  let refuse = true;
  await page.routeWebSocket("**/ws", (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((text) => {
      const { id, method } = JSON.parse(String(text));
      if (method !== "chat" || !refuse) return server.send(text);
      const error = { code: 1002, message: "forbidden" };
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, error }));
    });
  });
  const [one, two] = [fresh("focus"), fresh("focus")];
  await enter(page, inject("server"), "ada", one);
  await say(page, "refused");
  await page.getByRole("button", { name: "Try again" }).waitFor();
  refuse = false;
  await page.getByRole("button", { name: "Try again" }).press("Enter");
  await page.locator(".message:not(.failed):not(.pending)", { hasText: "refused" }).waitFor();
  await expect.poll(() => focused(page)).toBe(`Messages in ${one}`);

  await page.getByLabel("Open a channel").fill(two);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: two }).waitFor();
  await leave(page);
  await page.getByRole("heading", { name: one }).waitFor();
  await expect.poll(() => focused(page)).toBe("composer");
  await leave(page);
  await page.getByRole("link", { name: one }).waitFor({ state: "detached" });
  await expect.poll(() => focused(page)).toBe("open-channel");
});

test("a page in the background is up to date, and at its end when it is looked at", async () => {
  const name = fresh("background");
  const bob = await somebody("bob").join(name);
  for (const body of many(60)) await bob.send(body);
  const { page, problems } = await openWindow(browser);
  await page.addInitScript(sleep);
  await enter(page, inject("server"), "ada", name);
  await page.locator(".message", { hasText: "message 59" }).waitFor({ state: "attached" });
  await Promise.all(many(60).map((_, i) => bob.send(`later ${i}`)));
  await page.locator(".message", { hasText: "later 59" }).waitFor({ state: "attached" });
  expect((await shown(page)).at(-1)).toBe("later 59");
  await page.evaluate(() => (window as any).wakeUp());
  await until("the end", () =>
    page.evaluate(() => {
      const { scrollHeight, scrollTop, clientHeight } = document.querySelector(".scroller")!;
      return scrollHeight - scrollTop - clientHeight <= 1;
    }),
  );
  await page.locator(".message", { hasText: "later 59" }).waitFor();
  expect(problems).toEqual([]);
});

/** A page in the background: no frames, no scroll events, no news of sizes, until it wakes up. */
function sleep(): void {
  let asleep = true;
  const frame = window.requestAnimationFrame.bind(window);
  const waiting: FrameRequestCallback[] = [];
  window.requestAnimationFrame = (callback) => (asleep ? waiting.push(callback) : frame(callback));
  window.ResizeObserver = class extends ResizeObserver {
    constructor(callback: ResizeObserverCallback) {
      super((...args) => asleep || callback(...args));
    }
  };
  for (const name of ["scroll", "scrollend"]) {
    window.addEventListener(name, (e) => asleep && e.stopImmediatePropagation(), true);
  }
  const visibilityState = () => (asleep ? "hidden" : "visible");
  Object.defineProperty(document, "visibilityState", { get: visibilityState });
  (window as any).wakeUp = () => {
    asleep = false;
    document.dispatchEvent(new Event("visibilitychange"));
    for (const callback of waiting.splice(0)) frame(callback);
  };
}

test("three windows of one browser, whatever it calls its languages", async () => {
  const name = fresh("windows");
  const { page } = await openWindow(browser);
  const context = page.context();
  await context.addInitScript(() => {
    // What Chromium makes of a machine without a language of its own.
    Object.defineProperty(navigator, "languages", { get: () => ["en-US@posix", "en-US"] });
  });
  const windows = [page, await context.newPage(), await context.newPage()];
  for (const [i, window] of windows.entries()) {
    await enter(window, inject("server"), `user${i}`, name);
    await say(window, `from ${i}`);
    await window.locator(".message", { hasText: `from ${i}` }).waitFor();
  }
  for (const window of windows) {
    await window.locator(".message", { hasText: "from 2" }).waitFor();
    expect(await shown(window)).toEqual(["from 0", "from 1", "from 2"]);
    await window.getByText(`This is the beginning of ${name}.`).waitFor();
  }
});

test("on a narrow screen the focus stays in the side that lies over the messages", async () => {
  const name = fresh("drawer");
  await somebody("bob").join(name);
  const { page } = await openWindow(browser, { viewport: { width: 400, height: 760 } });
  await enter(page, inject("server"), "ada", name);
  const opener = page.locator('[aria-controls="members"]');
  await opener.press("Enter");
  const side = page.locator("#members");
  await side.getByRole("button", { name: "bob" }).waitFor();
  await expect.poll(() => page.evaluate(() => document.activeElement!.closest("#members") !== null)).toBe(true);
  for (let i = 0; i < 8; i++) {
    // The page as a whole, in between, is where the browser's own controls would follow.
    const where = await page.evaluate(() => document.activeElement!.closest("#members, body")!.id);
    if (where !== "") expect(where).toBe("members");
    await page.keyboard.press(i % 2 === 0 ? "Tab" : "Shift+Tab");
    if (i === 3) await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Escape");
  await side.waitFor({ state: "hidden" });
  await expect.poll(() => focused(page)).toBe("Members");

  await opener.press("Enter");
  await side.getByRole("button", { name: "Close" }).press("Enter");
  await side.waitFor({ state: "hidden" });
  await expect.poll(() => focused(page)).toBe("Members");

  await opener.press("Enter");
  await side.getByRole("button", { name: "bob" }).press("Enter");
  await side.waitFor({ state: "hidden" });
  await expect.poll(() => focused(page)).toBe("composer");

  await opener.click();
  await page.setViewportSize({ width: 1200, height: 760 });
  await until("the chat to be usable", () => page.locator("main:not([inert])").isVisible());
});
