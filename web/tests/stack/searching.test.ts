import type { WebSocketRoute } from "playwright-core";
import { expect, inject, test } from "vitest";
import { between, refuse } from "../support/between.ts";
import { enter, findings, openWindow, screenshot } from "../support/browser.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

test("messages are found by their words, here and everywhere, and lead to their places", async () => {
  const [here, there] = [fresh("search"), fresh("search")];
  const bob = somebody("bob");
  const room = await bob.join(here, { maxPending: 400 });
  const other = await bob.join(there);
  await room.send("the **quick** brown fox");
  await Promise.all(Array.from({ length: 300 }, (_, i) => room.send(`message ${i}`)));
  await room.send("今天天气很好");
  await other.send("a quick one elsewhere");
  const { page, problems } = await openWindow(browser);
  await enter(page, inject("server"), "ada", there);
  await page.getByLabel("Open a channel").fill(here);
  await page.getByLabel("Open a channel").press("Enter");
  await page.locator(".message", { hasText: "今天" }).waitFor();

  await page.getByRole("button", { name: "Search messages" }).click();
  const dialog = page.getByRole("dialog");
  const results = dialog.getByRole("listitem");
  const search = async (text: string, want: number) => {
    await until(`${text} to be found`, async () => {
      await dialog.getByRole("searchbox").fill(text);
      await dialog.getByRole("searchbox").press("Enter");
      await dialog.getByRole("button", { name: "Search", exact: true, disabled: false }).waitFor();
      return (await results.count()) === want;
    });
  };
  await search("天气", 1);
  expect(await results.locator("mark").allTextContents()).toEqual(["天气"]);
  await search("quick", 1);
  await dialog.getByLabel("In all open channels").check();
  await search("quick", 2);
  expect(await results.allTextContents()).toEqual([
    expect.stringContaining("a quick one elsewhere"),
    expect.stringContaining("brown fox"),
  ]);
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "search");
  await results.nth(1).getByRole("button").click();
  await page.locator(".message.found").waitFor();
  // It has the focus longer than it is marked.
  await expect.poll(() => page.locator("article:focus .body").allInnerTexts()).toEqual(["the quick brown fox"]);

  await page.locator(".messages article").last().focus();
  await page.keyboard.press("/");
  await search("nowhere", 0);
  await dialog.getByText("No messages found.").waitFor();
  await page.setViewportSize({ width: 320, height: 640 });
  await search("message", 20);
  await dialog.getByRole("button", { name: "Show more" }).click();
  await until("more", async () => (await results.count()) === 40);
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "search-phone");
  expect(problems).toEqual([]);
});

test("why a search failed is said: what was typed, too fast, no history, no connection", async () => {
  const { page } = await openWindow(browser);
  let code = 0;
  let line: WebSocketRoute | undefined;
  await between(page, (frame, socket) => {
    line = socket;
    return frame.method === "search" && code > 0 ? refuse(socket, frame, code, "refused") : frame;
  });
  const channel = fresh("refused");
  await somebody("bob").join(channel);
  await enter(page, inject("server"), "ada", channel);
  await page.locator("#members .name", { hasText: "bob" }).waitFor();
  await page.getByRole("button", { name: "Search messages" }).click();
  const dialog = page.getByRole("dialog");
  const search = async (text: string, reason: string) => {
    await dialog.getByRole("searchbox").fill(text);
    await dialog.getByRole("searchbox").press("Enter");
    await dialog.getByText(`Search failed: ${reason}`, { exact: true }).waitFor();
  };
  await search("?!", "enter 1 to 16 words, made of letters or digits");
  code = 1005;
  await search("hay", "too fast");
  code = 1008;
  await search("hay", "history is not available right now");
  expect(await findings(page)).toEqual([]);
  await page.context().setOffline(true);
  await line!.close({ code: 1011 });
  await page.getByText("You are offline.").waitFor();
  await search("hay", "there is no connection");
});

test("what is too long for the server is counted in its bytes, and not sent", async () => {
  const { page } = await openWindow(browser);
  const queries: string[] = [];
  await between(page, (frame) => {
    if (frame.method === "search") queries.push(frame.params.query);
    return frame;
  });
  await enter(page, inject("server"), "ada", fresh("long"));
  await page.getByRole("button", { name: "Search messages" }).click();
  const dialog = page.getByRole("dialog");
  const field = dialog.getByRole("searchbox");
  const button = dialog.getByRole("button", { name: "Search", exact: true });
  for (const [text, excess] of [
    ["天".repeat(86), "2 bytes"],
    ["a".repeat(257), "1 byte"],
    [`  ${"é".repeat(129)} `, "2 bytes"],
  ] as const) {
    await field.fill(text);
    await dialog.getByText(`Too long by ${excess}`, { exact: true }).waitFor();
    expect(await field.inputValue()).toBe(text); // nothing is cut off in silence
    expect(await field.getAttribute("aria-invalid")).toBe("true");
    expect(await button.isDisabled()).toBe(true);
    await field.press("Enter");
  }
  expect(await findings(page)).toEqual([]);
  await field.fill("天".repeat(85));
  await field.press("Enter");
  await dialog.getByText("No messages found.").waitFor();
  await field.fill("a".repeat(256));
  await dialog.getByRole("button", { name: "Search", exact: true, disabled: false }).click();
  await until("both to be asked", () => queries.length === 2);
  expect(queries).toEqual(["天".repeat(85), "a".repeat(256)]);
});
