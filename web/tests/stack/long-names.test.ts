import type { Locator } from "playwright-core";
import { expect, inject, test } from "vitest";
import { findings, openWindow } from "../support/browser.ts";
import { browser, fresh } from "../support/stage.ts";

/** Names are as long as the server takes them, in bytes; what is too much is told, and nothing is cut off. */

const tooLong = [
  ["天".repeat(43), "1 byte"],
  [`  ${"a".repeat(130)} `, "2 bytes"],
] as const;

/** A name of 128 bytes that nobody had. */
const longest = (name: string) => fresh(name).padEnd(35, "-") + "天".repeat(31);

async function refused(field: Locator, within: Locator, submit?: Locator): Promise<void> {
  for (const [text, excess] of tooLong) {
    await field.fill(text);
    await within.getByRole("alert").filter({ hasText: `Too long by ${excess}` }).waitFor();
    expect(await field.inputValue()).toBe(text);
    expect(await field.getAttribute("aria-invalid")).toBe("true");
    await field.press("Enter");
    if (submit) expect(await submit.isDisabled()).toBe(true);
  }
  expect(await findings(field.page())).toEqual([]);
}

test("a name or a channel that is too long is counted in bytes wherever one writes it", async () => {
  const { page, problems } = await openWindow(browser);
  await page.goto(inject("server"));
  const enter = page.getByRole("button", { name: "Enter" });
  const [user, first, second, third] = ["ada", "one", "two", "three"].map(longest);
  const body = page.locator("body");
  await refused(page.getByLabel("Your name"), body, enter);
  await page.getByLabel("Your name").fill(user!);
  await refused(page.getByLabel("Channel", { exact: true }), body, enter);
  await page.getByLabel("Channel", { exact: true }).fill(first!);
  await enter.click();
  await page.getByRole("heading", { name: first!, exact: true }).waitFor();
  await page.locator("#members .name", { hasText: user! }).waitFor();

  const open = page.getByLabel("Open a channel");
  await refused(open, page.locator("#channels"), page.getByRole("button", { name: "Open", exact: true }));
  await open.fill(second!);
  await open.press("Enter");
  await page.getByRole("heading", { name: second!, exact: true }).waitFor();

  await page.keyboard.press("ControlOrMeta+K");
  const dialog = page.getByRole("dialog");
  await refused(dialog.getByRole("combobox"), dialog);
  expect(await dialog.getByRole("option").count()).toBe(0);
  await dialog.getByRole("combobox").fill(third!);
  await dialog.getByRole("combobox").press("Enter");
  await page.getByRole("heading", { name: third!, exact: true }).waitFor();
  expect(await page.locator("#channels .list li").count()).toBe(3);
  expect(problems).toEqual([]);
});
