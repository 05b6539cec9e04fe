import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, findings, openWindow, shown } from "../support/browser.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

const options = { permissions: ["clipboard-read", "clipboard-write"] };

/** A channel whose name has to be encoded, with so many messages that the first are not loaded. */
async function long(messages: number): Promise<string> {
  const channel = fresh("links/50% ?");
  const room = await somebody("bob").join(channel, { maxPending: messages });
  await Promise.all(Array.from({ length: messages }, (_, i) => room.send(`message **${i}**.`)));
  return channel;
}

async function copied(page: Page, text: string, what: string): Promise<string> {
  await page.evaluate(() => navigator.clipboard.writeText(""));
  const message = page.locator(".message", { hasText: text });
  await message.locator(".more").click({ force: true });
  await page.getByRole("dialog").getByRole("button", { name: what }).click();
  await page.getByRole("status").filter({ hasText: "Copied" }).waitFor();
  // It may be of what was copied before.
  const read = () => page.evaluate(() => navigator.clipboard.readText());
  await until("the copy", async () => (await read()) !== "");
  return read();
}

test("a copied link leads to its message after signing in, and back to the newest", async () => {
  const channel = await long(400);
  const a = await openWindow(browser, options);
  await enter(a.page, inject("server"), "ada", channel);
  await a.page.locator(".message", { hasText: "message 399." }).waitFor();
  await until("message 10", async () => {
    await a.page.locator(".scroller").evaluate((scroller) => (scroller.scrollTop = 0));
    return (await shown(a.page)).includes("message 10.");
  });
  expect(await copied(a.page, "message 10.", "Copy text")).toBe("message **10**.");
  const link = await copied(a.page, "message 10.", "Copy link");
  expect(new URL(link).hash).toMatch(/^#\/links%2F50%25%20%3F[^/]*\/[0-9A-Z]{26}\/\d+$/);

  const b = await openWindow(browser);
  await b.page.goto(link);
  expect(await b.page.getByLabel("Channel", { exact: true }).inputValue()).toBe(channel);
  await b.page.getByLabel("Your name").fill("cyd");
  await b.page.getByRole("button", { name: "Enter" }).click();
  const found = b.page.locator(".message.found");
  await found.waitFor();
  // It has the focus longer than it is marked.
  await expect.poll(() => b.page.locator("article:focus .body").allInnerTexts()).toEqual(["message 10."]);
  expect((await shown(b.page)).includes("message 399.")).toBe(false);
  await b.page.getByRole("button", { name: "Jump to the newest" }).click();
  await b.page.locator(".message", { hasText: "message 399." }).waitFor();
  expect(await findings(b.page)).toEqual([]);

  // In a page that shows something else already.
  await a.page.evaluate((hash) => (location.hash = hash), new URL(link).hash);
  await a.page.locator(".message.found").waitFor();
  expect([...a.problems, ...b.problems]).toEqual([]);
});

test("a link to what is not there says so", async () => {
  const channel = await long(3);
  const { page } = await openWindow(browser, options);
  await enter(page, inject("server"), "ada", channel);
  await page.locator(".message", { hasText: "message 2." }).waitFor();
  const hash = `#/${encodeURIComponent(channel)}/01M85376R232Y8GV9PD2438SKW/7`;
  await page.evaluate((hash) => (location.hash = hash), hash);
  await page.getByRole("alert").filter({ hasText: "is not there any more" }).waitFor();
});

test("a message is answered privately from its menu", async () => {
  const channel = await long(1);
  const { page } = await openWindow(browser);
  await enter(page, inject("server"), "ada", channel);
  await page.locator(".message .more").click({ force: true });
  await page.getByRole("dialog").getByRole("button", { name: "Message privately" }).click();
  await page.getByLabel("Private message to bob", { exact: true }).waitFor();
});
