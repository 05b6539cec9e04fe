import type { Channel } from "@parley-chat/sdk";
import type { Locator, Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, findings, openWindow, say, screenshot, shown } from "../support/browser.ts";
import { enterAs, moderating, unexpected } from "../support/guarded.ts";
import { Proxy } from "../support/proxy.ts";
import { tokenOf } from "../support/site.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** A window of ada, one of bob, and what went wrong in either. */
async function two(name: string) {
  const channel = fresh(name);
  const [a, b] = await Promise.all([openWindow(browser), openWindow(browser)]);
  await enter(a.page, inject("server"), "ada", channel);
  await enter(b.page, inject("server"), "bob", channel);
  const problems = () => [...a.problems, ...b.problems];
  return { ada: a.page, bob: b.page, problems, channel };
}

const message = (page: Page, text: string): Locator => {
  return page.locator(".message", { has: page.locator(".body", { hasText: text }) });
};

async function options(page: Page, text: string): Promise<Locator> {
  await message(page, text).locator(".more").click({ force: true });
  return page.getByRole("dialog");
}

/** What each message looks like to its reader: text, marks, reactions. */
function rows(page: Page): Promise<string[]> {
  return page.locator(".message").evaluateAll((all) => all.map((row) => (row as HTMLElement).innerText));
}

test("the arrow up edits one's newest message, Enter saves, Escape does not", async () => {
  const { ada, bob, problems } = await two("edit");
  await say(ada, "helo");
  await message(bob, "helo").waitFor();
  await say(bob, "hi");
  await until("both", async () => (await shown(ada)).length === 2);
  const field = ada.locator("#composer");
  await field.press("ArrowUp");
  expect(await field.inputValue()).toBe("helo");
  await ada.getByRole("status").filter({ hasText: "Editing your message" }).waitFor();
  await field.press("Escape");
  expect(await field.inputValue()).toBe("");
  await field.press("ArrowUp");
  await field.fill("hello");
  await field.press("Enter");
  await until("the edit", async () => (await shown(bob)).join() === "hello,hi");
  await message(bob, "hello").getByText("edited").waitFor();
  expect(await field.inputValue()).toBe("");
  await bob.reload();
  await message(bob, "hello").getByText("edited").waitFor();
  expect(problems()).toEqual([]);
});

test("a deletion can be taken back for 5 s, and is made at once when the page goes away", async () => {
  const { ada, bob, problems } = await two("delete");
  for (const text of ["stays", "goes", "goes with the page"]) await say(ada, text);
  await until("all of them", async () => (await shown(bob)).length === 3);

  await (await options(ada, "stays")).getByRole("button", { name: "Delete", exact: true }).click();
  await ada.getByRole("button", { name: "Undo" }).click();
  await message(ada, "stays").waitFor();

  await message(ada, "goes with").waitFor();
  await (await options(ada, "goes with")).getByRole("button", { name: "Delete", exact: true }).click();
  await ada.getByRole("button", { name: "Undo" }).waitFor();
  await ada.goto("about:blank");
  await bob.getByText("This message was deleted.").waitFor();
  expect(await shown(bob)).toEqual(["stays", "goes"]);

  await ada.goto(bob.url()); // still signed in, in this tab
  await message(ada, "goes").waitFor();
  await (await options(ada, "goes")).getByRole("button", { name: "Delete", exact: true }).click();
  await until("the deletion", async () => (await shown(bob)).join() === "stays");
  await bob.reload();
  await until("the history", async () => (await shown(bob)).join() === "stays");
  expect(problems()).toEqual([]);
});

test("reactions: counted for all, one's own apart, and who", async () => {
  const { ada, bob, problems } = await two("react");
  await say(ada, "released");
  await message(bob, "released").waitFor();
  await (await options(bob, "released")).getByRole("button", { name: "React with 🎉" }).click();
  const chip = ada.getByRole("button", { name: "🎉: 1" });
  await chip.click();
  await ada.getByRole("button", { name: "🎉: 2, you too", pressed: true }).waitFor();
  await bob.getByRole("button", { name: "🎉: 2, you too" }).waitFor();
  const dialog = await options(ada, "released");
  await until("who", async () => (await dialog.locator(".who li").allTextContents()).join() === "🎉 ada,🎉 bob");
  await dialog.getByRole("button", { name: "Another emoji" }).click();
  expect(await findings(ada)).toEqual([]);
  await screenshot(ada, "options");
  await dialog.getByRole("textbox").fill("<img src=x onerror=alert(1)>");
  await dialog.getByRole("textbox").press("Enter");
  await bob.getByRole("button", { name: "<img src=x" }).waitFor();
  await ada.getByRole("button", { name: "🎉: 2, you too" }).click();
  await bob.getByRole("button", { name: "🎉: 1, you too" }).waitFor();
  await bob.reload();
  await bob.getByRole("button", { name: "🎉: 1, you too" }).waitFor();
  expect(problems()).toEqual([]);
});

test("a reply quotes, and leads to, what it answers, however far back that is", async () => {
  const { ada, bob, problems, channel } = await two("reply");
  const zoe = await somebody("zoe").join(channel, { maxPending: 1000 });
  await say(ada, "the question");
  await message(bob, "the question").waitFor();
  await message(bob, "the question").hover();
  await bob.getByRole("button", { name: "Reply to the message by ada" }).click();
  await bob.getByRole("status").filter({ hasText: "Reply to ada the question" }).waitFor();
  await say(bob, "the answer");
  await ada.getByRole("button", { name: "Reply to ada: the question" }).waitFor();
  await until("the question", () => zoe.messages.length > 0);
  const { seq } = zoe.messages[0]!;
  await Promise.all(Array.from({ length: 500 }, (_, i) => zoe.send(`${i}`)));
  await zoe.send("again", { reply: seq });
  await bob.reload();
  await message(bob, "again").getByRole("button", { name: "Reply to ada: the question" }).click();
  await bob.locator(".message.found .body", { hasText: "the question" }).waitFor();
  await expect.poll(() => bob.evaluate(() => document.activeElement!.textContent)).toContain("the question");
  expect(problems()).toEqual([]);
});

test("a quote says what the message that it quotes says by now, and nothing of one that was deleted", async () => {
  const { ada, bob, problems } = await two("requote");
  await say(ada, "the question");
  const answer = async () => {
    await message(bob, "question").first().hover();
    await bob.getByRole("button", { name: "Reply to the message by ada" }).click();
  };
  await answer();
  await say(bob, "the answer");
  const quote = (text: string) => bob.getByRole("button", { name: `Reply to ada: ${text}` });
  await quote("the question").waitFor();
  await answer();
  await ada.locator("#composer").press("ArrowUp");
  await say(ada, "another question");
  await quote("another question").waitFor();
  // So does the line above what is being written, and nothing takes the focus there.
  await bob.getByRole("status").filter({ hasText: "Reply to ada another question" }).waitFor();
  await message(bob, "another question").focus();
  await (await options(ada, "another question")).getByRole("button", { name: "React with 👍" }).click();
  await bob.getByRole("button", { name: "👍: 1" }).waitFor();
  expect(await bob.evaluate(() => document.activeElement!.textContent)).toContain("another question");
  const menu = await options(ada, "another question");
  await menu.getByRole("button", { name: "Delete", exact: true }).click();
  await bob.getByText("This message was deleted.").waitFor();
  await quote("deleted message").waitFor();
  expect(await bob.getByText("another question").count()).toBe(0);
  expect(problems()).toEqual([]);
});

test("names are completed after an @, and whom a message mentions sees it", async () => {
  const { ada, bob, problems } = await two("mention");
  const field = ada.locator("#composer");
  await field.pressSequentially("look, @b");
  await ada.getByRole("option", { name: "bob" }).waitFor();
  expect(await field.getAttribute("aria-activedescendant")).toBe("mention-0");
  await field.press("Enter");
  expect(await field.inputValue()).toBe("look, @bob ");
  await field.press("Enter");
  await bob.locator(".message.mentioned mark.me", { hasText: "@bob" }).waitFor();
  expect(await ada.locator(".message.mentioned").count()).toBe(0);
  expect(problems()).toEqual([]);
});

test("what is pinned is listed for all, and only moderators pin", async () => {
  const name = fresh("pin");
  const [a, b] = await Promise.all([openWindow(browser), openWindow(browser)]);
  const [ada, bob] = [a.page, b.page];
  await enterAs(ada, tokenOf("ada", 600, moderating), name);
  await enterAs(bob, tokenOf("bob", 600), name);
  await say(ada, "the rules");
  await message(bob, "the rules").waitFor();
  const bobs = await options(bob, "the rules");
  await bobs.getByRole("button", { name: "Reply", exact: true }).waitFor();
  const closed = (page: Page) => page.locator("dialog[open]").waitFor({ state: "detached" });
  await (await options(ada, "the rules")).getByRole("button", { name: "Pin", exact: true }).click();
  await message(bob, "the rules").locator(".mark", { hasText: "Pinned" }).waitFor({ state: "attached" });
  expect(await bobs.getByRole("button", { name: /^(Unpin|Pin|Edit|Delete)$/ }).count()).toBe(0);
  await bobs.getByRole("button", { name: "Close" }).click();
  await closed(bob);
  await bob.getByRole("button", { name: "Pinned messages 1" }).click();
  await bob.getByRole("dialog").getByText("the rules").waitFor();
  expect(await findings(bob)).toEqual([]);
  await screenshot(bob, "pins");
  await bob.getByRole("button", { name: "Go to message" }).click();
  await bob.locator(".message.found", { hasText: "the rules" }).waitFor();

  // A moderator deletes what others wrote, pinned or not.
  await say(bob, "off topic");
  await (await options(ada, "off topic")).getByRole("button", { name: "Delete", exact: true }).click();
  await bob.getByText("Deleted by ada.").waitFor();
  await (await options(ada, "the rules")).getByRole("button", { name: "Unpin" }).click();
  await bob.getByRole("button", { name: "Pinned messages" }).waitFor({ state: "detached" });
  expect([...a.problems, ...b.problems].filter(unexpected)).toEqual([]);
});

test("a window that was away for 50 edits and 20 deletions ends up like one that was not", async () => {
  const name = fresh("away");
  const proxy = await Proxy.start(inject("server"));
  const tall = { viewport: { width: 1200, height: 2400 } }; // all of them are drawn
  const [away, here] = await Promise.all([openWindow(browser, tall), openWindow(browser, tall)]);
  const zoe = somebody("zoe");
  const channel: Channel = await zoe.join(name);
  const sent = await Promise.all(Array.from({ length: 30 }, (_, i) => channel.send(`message ${i}`)));
  await enter(away.page, proxy.url, "ada", name);
  await enter(here.page, inject("server"), "bob", name);
  await message(away.page, "message 29").waitFor();
  await message(here.page, "message 29").waitFor();
  const before = await rows(away.page);
  proxy.block();
  await away.page.locator('.connection[data-status="waiting"]').waitFor();
  for (let i = 0; i < 50; i++) await channel.edit(sent[i % 30]!.seq!, `edit ${i}`);
  for (const { seq } of sent.slice(0, 20)) await channel.delete(seq!);
  for (const { seq } of sent.slice(25)) await channel.react(seq!, "👍");
  const left = Array.from({ length: 10 }, (_, i) => `edit ${20 + i}`);
  const all = async (page: Page) => {
    const reactions = await page.locator(".reaction").count();
    return (await shown(page)).join() === left.join() && reactions === 5;
  };
  await until("the one that is here", () => all(here.page));
  expect(await rows(away.page)).toEqual(before); // it really is away
  proxy.unblock();
  await until("the one that was away", () => all(away.page));
  expect(await rows(away.page)).toEqual(await rows(here.page));
  const deleted = (await rows(here.page)).filter((row) => row.includes("This message was deleted."));
  expect(deleted.length).toBe(20);
  for (const { page } of [away, here]) await page.reload();
  for (const { page } of [away, here]) await until("the history", () => all(page));
  expect(await rows(away.page)).toEqual(await rows(here.page));
  expect([...away.problems, ...here.problems]).toEqual([]);
  await proxy.stop();
});
