import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, leave, openWindow, say } from "../support/browser.ts";
import { enterAs, moderating } from "../support/guarded.ts";
import { focusAt } from "../support/keys.ts";
import { tokenOf } from "../support/site.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** Whoever uses the keyboard alone is never left without a place on the page. */

async function open(name: string) {
  const { page, problems } = await openWindow(browser);
  await enter(page, inject("server"), "ada", name);
  return { page, problems };
}

const menu = (page: Page) => page.getByRole("dialog");
const focused = (page: Page, selector: string) => until(`the focus at ${selector}`, () => focusAt(page, selector));

/** Opens the menu of the last message and chooses from it. */
async function choose(page: Page, name: string): Promise<void> {
  await page.locator("article.message").last().focus();
  await page.keyboard.press("Enter");
  await menu(page).getByRole("button", { name, exact: true }).press("Enter");
}

test("what goes away with the focus leaves it at its message", async () => {
  const { page, problems } = await open(fresh("goes"));
  await say(page, "one of my own");
  await page.locator(".message.own:not([data-status])").waitFor();

  await choose(page, "React with 👍");
  await page.locator(".reaction.on").press("Enter");
  await page.locator(".reaction").waitFor({ state: "detached" });
  await focused(page, "article.message");

  await choose(page, "Delete");
  await page.locator(".message").getByRole("button", { name: "Undo" }).press("Enter");
  await page.locator(".message .body").waitFor();
  await focused(page, "article.message");

  await choose(page, "Delete");
  await page.locator(".message").getByRole("button", { name: "Undo" }).focus();
  await page.locator(".message .deleted").waitFor();
  await focused(page, "article.message");
  expect(problems).toEqual([]);
});

test("what lies over the messages goes, and leaves the focus at them", async () => {
  const [left, name] = [fresh("left"), fresh("stays")];
  const { page } = await open(left);
  await page.getByLabel("Open a channel").fill(name);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name, exact: true }).waitFor();
  await page.keyboard.press("Alt+ArrowUp");
  await page.getByRole("heading", { name: left, exact: true }).waitFor();
  await leave(page);
  await page.locator(".departed").getByRole("button", { name: "Dismiss" }).press("Enter");
  await page.locator(".departed p").waitFor({ state: "detached" });
  await focused(page, ".scroller");
});

test("a dialog that was opened from nowhere leaves the focus at the messages", async () => {
  const { page } = await open(fresh("nowhere"));
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await page.keyboard.press("Control+k");
  await focused(page, "[role=combobox]");
  await page.keyboard.press("Escape");
  await focused(page, ".scroller");
});

test("one begins above what is in a menu, not at the button that leaves the channel", async () => {
  const { page } = await open(fresh("begins"));
  await page.getByRole("button", { name: "Channel options" }).press("Enter");
  await menu(page).getByLabel("Invite link").waitFor();
  await focused(page, "dialog");
  await page.keyboard.press("Tab");
  await focused(page, "#invite");
  await page.keyboard.press("Escape");
  await focused(page, ".channel-menu");
});

test("the field for a token has the focus once one asked for it", async () => {
  const { page } = await openWindow(browser);
  await page.goto(inject("server"));
  await focused(page, "#user");
  await page.getByRole("button", { name: "Use a token" }).press("Enter");
  await page.getByLabel("Token").waitFor();
  await focused(page, "#token");
});

test("a search has the focus where it was asked for, also while it is under way", async () => {
  const name = fresh("asked");
  const room = await somebody("bob").join(name);
  await room.send("a needle");
  const { page } = await open(name);
  await page.getByRole("button", { name: "Search messages" }).press("Enter");
  await menu(page).getByRole("searchbox").fill("needle");
  const button = menu(page).getByRole("button", { name: "Search", exact: true });
  await button.focus();
  await until("it to be found", async () => {
    await page.keyboard.press("Enter");
    await menu(page).getByRole("button", { name: "Search", exact: true, disabled: false }).waitFor();
    expect(await button.evaluate((button) => document.activeElement === button)).toBe(true);
    return (await page.locator(".found-list button").count()) === 1;
  });
});

test("a moderator stays in the list from which the last one was taken", async () => {
  const { page } = await openWindow(browser);
  const name = fresh("lists");
  await enterAs(page, tokenOf("ada", 600, moderating), name);
  await say(page, "to be pinned");
  await page.locator(".message.own:not(.pending)").waitFor();
  await choose(page, "Pin");
  await page.locator(".pins").press("Enter");
  await menu(page).getByRole("button", { name: "Go to message" }).waitFor();
  await focused(page, "dialog");
  await menu(page).getByRole("button", { name: "Unpin" }).press("Enter");
  await menu(page).getByText("Nothing is pinned here.").waitFor();
  await focused(page, "dialog");
  // The button that it came from is gone, too.
  await page.keyboard.press("Escape");
  await page.locator(".pins").waitFor({ state: "detached" });
  await focused(page, ".scroller");
});
