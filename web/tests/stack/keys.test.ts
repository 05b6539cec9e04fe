import { expect, inject, test } from "vitest";
import { enter, findings, openWindow, say, screenshot } from "../support/browser.ts";
import { focusAt, tabTo } from "../support/keys.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

test("the list is one stop: arrows lead from message to message, Enter opens the menu", async () => {
  const { page } = await openWindow(browser);
  const channel = fresh("arrows");
  const room = await somebody("bob").join(channel);
  for (const text of ["one https://a.example/1", "two", "three https://a.example/3"]) await room.send(text);
  await enter(page, inject("server"), "ada", channel);
  await page.locator(".message", { hasText: "three" }).waitFor();
  await page.locator("#composer").focus();
  expect(await page.locator(".messages [tabindex='0'] >> visible=true").evaluateAll((all) => all.map((e) => e.closest("[data-index]")?.textContent))).toEqual(
    Array(3).fill(await page.locator("[data-index]").last().textContent()),
  );
  await tabTo(page, "article.message", "Shift+Tab");
  const focused = () => page.evaluate(() => document.activeElement!.querySelector(".body")?.textContent);
  expect(await focused()).toContain("three");
  await page.keyboard.press("ArrowUp");
  expect(await focused()).toBe("two");
  await page.keyboard.press("ArrowUp");
  expect(await focused()).toContain("one");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "Reply" }).waitFor();
  await page.keyboard.press("Escape");
  await tabTo(page, "article.message", "Shift+Tab");
  expect(await focused()).toBe("two");
  // It stays where it is when others write.
  await room.send("four");
  await page.locator(".message", { hasText: "four" }).waitFor();
  expect(await focused()).toBe("two");
});

test("Ctrl+K leads to channels, conversations and people by name", async () => {
  const { page, problems } = await openWindow(browser);
  const [one, two] = [fresh("alpha"), fresh("beta")];
  await somebody("grace").join(two);
  await enter(page, inject("server"), "ada", one);
  await page.keyboard.press("Control+k");
  const field = page.getByRole("combobox");
  await field.fill(two);
  await page.getByRole("option", { name: `Open the channel ${two}` }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: two }).waitFor();
  await page.locator("#members .name", { hasText: "grace" }).waitFor();

  await page.keyboard.press("Control+k");
  await page.getByRole("option").nth(1).waitFor();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "switcher");
  await field.fill("gra");
  await page.keyboard.press("Enter");
  await page.getByLabel("Private message to grace", { exact: true }).waitFor();
  await page.keyboard.press("Control+k");
  await field.fill("lpha");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: one }).waitFor();
  await until("the focus", () => focusAt(page, "#composer"));

  // In the field a question mark is one.
  await page.locator("#composer").press("?");
  expect(await page.locator("#composer").inputValue()).toBe("?");
  await say(page, "now a message");
  // As it is in the log: until then its place is taken by another one.
  await page.locator(".message.own:not([data-status])").waitFor();
  await page.locator("article.message").first().focus();
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keyboard shortcuts" }).waitFor();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "keys");
  await page.keyboard.press("Escape");
  await until("the focus", () => focusAt(page, "article.message"));
  expect(problems).toEqual([]);
});
