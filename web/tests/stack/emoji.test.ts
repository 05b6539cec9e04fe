import { expect, inject, test } from "vitest";
import { enter, findings, openWindow, screenshot, shown } from "../support/browser.ts";
import { browser, fresh } from "../support/stage.ts";
import { until } from "../support/wait.ts";

test("an emoji is found by its name, put where one writes, and remembered", async () => {
  const { page, problems } = await openWindow(browser);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await enter(page, inject("server"), "ada", fresh("emoji"));
  const field = page.locator("#composer");
  await field.fill("ab");
  await field.press("ArrowLeft");
  await page.getByRole("button", { name: "Emoji", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "grinning face", exact: true }).first().waitFor();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "emoji");
  await dialog.getByRole("textbox").fill("lobster");
  await dialog.getByRole("button", { name: "lobster" }).waitFor();
  await dialog.getByRole("textbox").press("Enter");
  await until("the emoji", async () => (await field.inputValue()) === "a🦞b");
  await field.press("Enter");
  await until("the message", async () => (await shown(page)).includes("a🦞b"));
  await page.getByRole("button", { name: "Emoji", exact: true }).click();
  await until("the last one first", async () => {
    return (await dialog.locator(".grid button").first().textContent()) === "🦞";
  });
  for (const url of asked) expect(new URL(url).origin).toBe(new URL(inject("server")).origin);
  expect(problems).toEqual([]);
});

test("in Chinese, on a phone: emoji by Chinese words", async () => {
  const { page } = await openWindow(browser, {
    viewport: { width: 320, height: 640 },
    hasTouch: true,
    isMobile: true,
  });
  await page.addInitScript(() => localStorage.setItem("parley.language", '"zh"'));
  await page.goto(inject("server"));
  await page.locator("#user").fill("ada");
  await page.locator("#channel").fill(fresh("emoji"));
  await page.locator("button.primary").click();
  await page.locator("#composer").waitFor();
  await page.getByRole("button", { name: "表情", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox").fill("龙虾");
  await dialog.locator(".grid button", { hasText: "🦞" }).click();
  await until("the emoji", async () => (await page.locator("#composer").inputValue()) === "🦞");
  await page.getByRole("button", { name: "表情", exact: true }).click();
  await dialog.locator(".groups button").nth(2).click();
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "emoji-phone");
});
