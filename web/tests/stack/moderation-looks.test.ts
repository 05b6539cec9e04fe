import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { findings, openWindow, screenshot } from "../support/browser.ts";
import { enterAs, memberOf, moderating, unexpected } from "../support/guarded.ts";
import { focusAt, tabTo } from "../support/keys.ts";
import { tokenOf } from "../support/site.ts";
import { browser, fresh } from "../support/stage.ts";
import { lookSmall } from "../support/small.ts";
import { until } from "../support/wait.ts";

/** What moderating looks like, to moderators and to others, and that the keyboard is enough. */

const phone = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };
const looks = [
  { name: "dark", options: { colorScheme: "dark" as const } },
  { name: "phone", options: phone },
  { name: "chinese", options: { locale: "zh-CN", ...phone } },
];

/** Keeps a picture; nothing is wider than the screen, or in anybody's way. */
async function look(page: Page, name: string): Promise<void> {
  expect(await findings(page), name).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), name).toBe(false);
  await screenshot(page, `moderation-${name}`);
  await lookSmall(page, `moderation-${name}`);
}

test.each(looks)("$name: nothing serious in the way of a moderator", async ({ name, options }) => {
  const channel = fresh("looks");
  const { page, problems } = await openWindow(browser, options);
  const [grace, eve] = await Promise.all(["grace", "eve"].map((user) => memberOf(user, channel, moderating)));
  await eve!.send("Cheap tickets, all of them genuine, write to me and to nobody else");
  await grace!.set({ topic: "Releases, and what people think of them: please be kind to each other", slow: 90 });
  await grace!.mute("mallory", { for: 3_600_000, reason: "The same advertisement in every channel" });
  await grace!.ban("trent", { reason: "a_very_long_word_without_any_place_to_break_it_in_two" });
  await enterAs(page, tokenOf("ada", 600, moderating), channel);
  await page.locator(".topic").waitFor();
  await page.locator(".bar .moderation-button").first().waitFor();
  await look(page, `${name}-chat`);

  const dialog = page.locator("dialog[open]");
  const close = async () => {
    await dialog.locator(".actions .primary").click();
    await dialog.waitFor({ state: "detached" });
  };
  await page.locator(".bar .moderation-button").first().click();
  await dialog.locator(".sanctions li").nth(1).waitFor();
  await look(page, `${name}-panel`);
  await close();
  await page.locator(".message .more").first().click({ force: true });
  await dialog.locator(".measures").waitFor();
  await look(page, `${name}-message`);
  await close();

  if (options !== looks[0]!.options) await page.locator('[aria-controls="members"]').click();
  await page.locator("#members [aria-haspopup=dialog]").first().click();
  await dialog.locator(".measures").waitFor();
  await look(page, `${name}-member`);
  await dialog.locator(".measures button").last().click();
  await look(page, `${name}-question`);
  expect(problems.filter(unexpected)).toEqual([]);
});

test.each(looks)("$name: nothing serious in the way of those who are bound", async ({ name, options }) => {
  const channel = fresh("bound");
  const { page, problems } = await openWindow(browser, options);
  const grace = await memberOf("grace", channel, moderating);
  await enterAs(page, tokenOf("bob", 600), channel);
  const access = page.locator(".access p");
  const told = async (what: string, act: () => Promise<unknown>) => {
    // What it is in may be replaced meanwhile.
    const text = async () => (await access.allTextContents()).join();
    const before = await text();
    await act();
    await until(what, async () => (await text()) !== before);
    await look(page, `${name}-${what}`);
  };
  await told("slow", () => grace.set({ slow: 30 }));
  await told("frozen", () => grace.set({ frozen: true }));
  await told("muted", () => grace.mute("bob", { for: 3_600_000, reason: "Please stop that" }));
  await told("kicked", () => grace.kick("bob", { reason: "cool down" }));
  await page.locator(".access button, .no-access button").click();
  await page.locator("#members .name .muted").waitFor({ state: "attached" });
  await grace.ban("bob", { for: 3_600_000, reason: "I did ask" });
  await page.locator(".access, .no-access").filter({ hasText: "I did ask" }).waitFor();
  await look(page, `${name}-banned`);
  expect(problems.filter(unexpected)).toEqual([]);
});

test("a moderator needs no pointer, and the focus comes back", async () => {
  const channel = fresh("keys");
  const { page } = await openWindow(browser);
  const eve = await memberOf("eve", channel, moderating);
  await enterAs(page, tokenOf("ada", 600, moderating), channel);
  await page.getByRole("button", { name: "Moderate eve" }).waitFor();
  const at = (selector: string) => focusAt(page, selector);
  const tab = (selector: string, key?: string) => tabTo(page, selector, key);
  await page.locator("#composer").focus();
  await tab("#members [aria-haspopup=dialog]");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Moderate eve" });
  await dialog.waitFor();
  await tab(".measures .choices button");
  await page.keyboard.press("Enter");
  await until("the mute", () => eve.sanction !== undefined);
  await dialog.waitFor({ state: "detached" });
  await until("the focus", () => at("#members [aria-haspopup=dialog]"));

  await tab(".bar .moderation-button", "Shift+Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Moderation" }).waitFor();
  await tab("input[type=checkbox]");
  await page.keyboard.press("Space");
  await until("the freeze", () => eve.settings.frozen);
  await tab(".sanctions .link");
  await page.keyboard.press("Enter");
  await until("the end of the mute", () => eve.sanction === undefined);
  await page.keyboard.press("Escape");
  await until("the focus", () => at(".bar .moderation-button"));
});
