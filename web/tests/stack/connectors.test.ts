import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWindow, say, shown } from "../support/browser.ts";
import { Beside } from "../support/beside.ts";
import { enterAs, guarded, keys, moderating, unexpected } from "../support/guarded.ts";
import { tokenOf } from "../support/site.ts";
import { browser, fresh } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** A moderator on one connector, and those whom they deal with on another. */

let other: Beside;

beforeAll(async () => {
  other = await Beside.start(guarded, keys);
});

afterAll(() => other?.stop());

test("a muted user and a banned one, each where the moderator is not", async () => {
  const channel = fresh("apart");
  const windows = await Promise.all([1, 2, 3].map(() => openWindow(browser)));
  const [ada, bob, eve] = windows.map(({ page }) => page) as [Page, Page, Page];
  await enterAs(ada, tokenOf("ada", 600, moderating), channel);
  await enterAs(bob, tokenOf("bob", 600), channel, other.url);
  await enterAs(eve, tokenOf("eve", 600), channel, other.url);
  await say(bob, "one");
  await say(eve, "two");
  await until("both", async () => (await shown(ada)).length === 2);

  await ada.getByRole("button", { name: "Moderate bob" }).click();
  await ada.getByRole("button", { name: "Mute for 1 hour" }).click();
  await bob.locator(".access").getByText(/You are muted here until/).waitFor();
  await ada.getByRole("button", { name: "Moderate eve" }).click();
  await ada.getByRole("button", { name: "Ban and delete messages" }).click();
  await ada.getByRole("dialog").getByRole("button", { name: "Ban and delete" }).click();
  await eve.locator(".access").getByText(/You are banned from/).waitFor();
  await until("the purge", async () => (await shown(bob)).join() === "one");
  await bob.locator("#members .name", { hasText: "eve" }).waitFor({ state: "detached" });

  // A connector that was not there knows of it all the same.
  for (const page of [bob, eve]) await page.goto("about:blank");
  await enterAs(bob, tokenOf("bob", 600), channel, guarded.url);
  await bob.locator(".access").getByText(/You are muted here until/).waitFor();
  await eve.goto(guarded.url);
  await eve.locator("#channel").fill(channel);
  await eve.locator("#token").fill(tokenOf("eve", 600));
  await eve.locator("form button[type=submit]").click();
  await eve.locator(".no-access").getByText(/You are banned from/).waitFor();
  expect(windows.flatMap(({ problems }) => problems).filter(unexpected)).toEqual([]);
});
