import type { Page, WebSocketRoute } from "playwright-core";
import { expect, inject, test } from "vitest";
import { between, type Frame } from "../support/between.ts";
import { enter, findings, leave, openWindow } from "../support/browser.ts";
import { enterAs, guarded, memberOf, moderating, unexpected } from "../support/guarded.ts";
import { everything, tokenOf } from "../support/site.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** What was found, when one may not see it any more, and when it is not as it was. */

const dialogOf = (page: Page) => page.getByRole("dialog", { name: "Search messages" });
const resultsOf = (page: Page) => dialogOf(page).getByRole("listitem");

/** Searches until that many are found: the index follows the log. */
async function search(page: Page, text: string, want: number): Promise<void> {
  const dialog = dialogOf(page);
  await until(`${text} to be found`, async () => {
    await dialog.getByRole("searchbox").fill(text);
    await dialog.getByRole("searchbox").press("Enter");
    await dialog.getByRole("button", { name: "Search", exact: true, disabled: false }).waitFor();
    return (await resultsOf(page).count()) === want;
  });
}

async function openSearch(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Search messages" }).click();
  await dialogOf(page).waitFor();
}

/** Eve in two channels of a moderator's, who has said something in both, with the search open. */
async function eve(page: Page) {
  const [out, stays] = [fresh("out"), fresh("stays")];
  const ada = await memberOf("ada", out, moderating);
  const other = await memberOf("ada", stays, moderating);
  await ada.send("hay in the barn");
  await other.send("hay on the field");
  await enterAs(page, tokenOf("eve", 600, everything), stays);
  await page.getByLabel("Open a channel").fill(out);
  await page.getByLabel("Open a channel").press("Enter");
  await page.locator(".message", { hasText: "barn" }).waitFor();
  await openSearch(page);
  await dialogOf(page).getByLabel("In all open channels").check();
  return { out, stays, ada };
}

test("banned while the search is open: what was found there goes, and why is said", async () => {
  const { page, problems } = await openWindow(browser);
  const { out, ada } = await eve(page);
  await search(page, "hay", 2);
  await ada.ban("eve", { reason: "advertising" });
  await dialogOf(page).getByText(`You are banned from ${out}. Reason: advertising`).waitFor();
  await expect.poll(() => resultsOf(page).allTextContents()).toEqual([expect.stringContaining("field")]);
  await dialogOf(page).getByText("1 found", { exact: true }).waitFor();
  expect(await findings(page)).toEqual([]);
  // Nor can more be found there, until one is back.
  await dialogOf(page).getByLabel("In all open channels").uncheck();
  await dialogOf(page).getByRole("searchbox").press("Enter");
  await dialogOf(page).getByText("Search failed: no access").waitFor();
  await ada.lift("eve");
  await search(page, "hay", 1);
  expect(problems.filter(unexpected)).toEqual([]);
});

test("removed while a search is under way: its answer is not shown", async () => {
  const { page } = await openWindow(browser);
  let hold = false;
  let held: { frame: Frame; socket: WebSocketRoute } | undefined;
  let refused = 0;
  const searches = new Set<number>();
  await between(
    page,
    (frame) => {
      if (frame.method === "search") searches.add(frame.id!);
      return frame;
    },
    (frame, socket) => {
      if (!hold || frame.id === undefined || !searches.has(frame.id)) return frame;
      if (!frame.result) {
        refused++; // it took too long: once more
        return frame;
      }
      held = { frame, socket };
      return undefined;
    },
  );
  const { out, ada } = await eve(page);
  await search(page, "hay", 2);
  hold = true;
  await until("the answer to be held", async () => {
    const before = refused;
    await dialogOf(page).getByRole("button", { name: "Search", exact: true, disabled: false }).waitFor();
    await dialogOf(page).getByRole("searchbox").press("Enter");
    await until("an answer", () => held !== undefined || refused > before);
    return held !== undefined;
  });
  expect(held!.frame.result.messages).toHaveLength(2);
  await ada.kick("eve");
  await dialogOf(page).getByText(`A moderator removed you from ${out}.`).waitFor();
  held!.socket.send(JSON.stringify(held!.frame));
  await dialogOf(page).getByRole("button", { name: "Search", exact: true, disabled: false }).waitFor();
  expect(await resultsOf(page).allTextContents()).toEqual([expect.stringContaining("field")]);
  await dialogOf(page).getByText(`A moderator removed you from ${out}.`).waitFor();
});

test("turned away while the search is open: it is not there for the next user", async () => {
  const { page } = await openWindow(browser);
  let line: WebSocketRoute | undefined;
  await between(page, (frame, socket) => {
    line = socket;
    return frame;
  });
  const { out } = await eve(page);
  await search(page, "hay", 2);
  await line!.close({ code: 3500, reason: "bad token" });
  await page.locator("#token").waitFor();
  await page.locator("#channel").fill(out);
  await page.locator("#token").fill(tokenOf("mallory", 600, everything));
  await page.locator("form button[type=submit]").click();
  await page.locator(".members .name .muted").waitFor({ state: "attached" });
  expect(await page.getByRole("dialog").count()).toBe(0);
  expect(guarded.url).toBe(new URL(page.url()).origin);
});

test("what was edited or deleted since is shown as it is", async () => {
  const { page, problems } = await openWindow(browser);
  const channel = fresh("since");
  const room = await somebody("bob").join(channel);
  const [first, second] = [await room.send("needle one"), await room.send("needle two")];
  await enter(page, inject("server"), "ada", channel);
  await page.locator(".message", { hasText: "needle two" }).waitFor();
  await openSearch(page);
  await search(page, "needle", 2);
  await room.edit(first.seq!, "hay instead");
  await room.delete(second.seq!);
  await expect
    .poll(() => dialogOf(page).locator(".snippet").allTextContents())
    .toEqual(["hay instead"]);
  await dialogOf(page).getByText("1 found", { exact: true }).waitFor();
  expect(await dialogOf(page).locator("mark").count()).toBe(0);
  await resultsOf(page).getByRole("button").click();
  await page.locator(".message.found", { hasText: "hay instead" }).waitFor();
  expect(problems).toEqual([]);
});

test("in a channel that one has left nothing is found", async () => {
  const { page, problems } = await openWindow(browser);
  const { out, stays } = await eve(page);
  await search(page, "hay", 2);
  await dialogOf(page).getByRole("button", { name: "Close" }).click();
  await leave(page);
  await page.getByRole("heading", { name: stays }).waitFor();
  await page.locator("#members .name", { hasText: "eve" }).waitFor();
  await openSearch(page);
  await dialogOf(page).getByLabel("In all open channels").check();
  await search(page, "hay", 1);
  expect(await resultsOf(page).allTextContents()).toEqual([expect.stringContaining("field")]);
  await dialogOf(page).getByRole("button", { name: "Close" }).click();
  await page.getByText(`You left ${out}.`).waitFor();
  expect(problems.filter(unexpected)).toEqual([]);
});

test("a result in a channel that one has left leads back to it, with all that was written there", async () => {
  const { page, problems } = await openWindow(browser);
  let hold = true;
  let leaving: { frame: Frame; pass(): void } | undefined;
  await page.routeWebSocket("**/ws", (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((text) => {
      const frame = JSON.parse(String(text)) as Frame;
      if (frame.method === "leave" && hold) leaving = { frame, pass: () => server.send(text) };
      else server.send(text);
    });
    server.onMessage((text) => socket.send(text));
  });
  const { out, stays } = await eve(page);
  await dialogOf(page).getByRole("button", { name: "Close" }).click();
  await page.locator("#composer").fill("half a sentence");
  await leave(page);
  await page.getByRole("heading", { name: stays }).waitFor();
  await until("the leaving to be on its way", () => leaving !== undefined);
  // The server does not know of it yet.
  await openSearch(page);
  await dialogOf(page).getByLabel("In all open channels").check();
  await search(page, "hay", 2);
  hold = false;
  leaving!.pass();
  await resultsOf(page).filter({ hasText: "barn" }).getByRole("button").click();
  await page.getByRole("heading", { name: out }).waitFor();
  await page.locator(".message.found", { hasText: "barn" }).waitFor();
  expect(await page.locator("#composer").inputValue()).toBe("half a sentence");
  await page.locator("#members .name", { hasText: "eve" }).waitFor();
  await page.getByText(`You left ${out}.`).waitFor({ state: "detached" });
  expect(await page.locator("#channels .list .name").allTextContents()).toEqual([stays, out]);
  expect(problems.filter(unexpected)).toEqual([]);
});
