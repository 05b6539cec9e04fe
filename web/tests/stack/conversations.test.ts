import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, openWindow, say, shown } from "../support/browser.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** Each private conversation is a place of its own, and what is unread is known in each. */

async function open(name: string, user = "ada") {
  const window = await openWindow(browser);
  await enter(window.page, inject("server"), user, name);
  return window;
}

const composer = (page: Page) => page.locator("#composer");
const recipient = (page: Page) => page.locator(".composer .recipient");
const choose = (page: Page, user: string) =>
  page.locator("#members").getByRole("button", { name: user });

/** The entry of a channel, and that of a conversation, in the sidebar. */
const entry = (page: Page, name: string) =>
  page.locator("#channels").getByRole("link", { name, exact: true });
const talk = (page: Page, user: string) =>
  page.locator(".talks").getByRole("link", { name: user });

/** Bob and Cyd are there, and hear what they may. */
async function others(name: string) {
  const [bob, cyd] = await Promise.all(["bob", "cyd"].map((user) => somebody(user).join(name)));
  return { bob: bob!, cyd: cyd! };
}

test("a conversation is a place of its own, which nothing makes public", async () => {
  const name = fresh("twice");
  const { bob, cyd } = await others(name);
  const { page } = await open(name);
  await choose(page, "bob").dblclick();
  await recipient(page).getByText("Only you and bob see this").waitFor();
  await page.getByRole("heading", { name: "bob", exact: true }).waitFor();
  await page.getByText(`Private conversation in ${name}`).waitFor();
  await choose(page, "bob").click();
  await page.locator("#composer:focus").waitFor();
  await composer(page).fill("for bob");

  // Another conversation, that of everybody among them, does not get the text.
  await choose(page, "cyd").click();
  await recipient(page).getByText("Only you and cyd see this").waitFor();
  expect(await composer(page).inputValue()).toBe("");
  await page.getByRole("link", { name: "bob draft" }).click();
  await recipient(page).getByText("Only you and bob see this").waitFor();
  expect(await composer(page).inputValue()).toBe("for bob");
  await entry(page, name).click();
  await page.getByRole("heading", { name }).waitFor();
  expect(await recipient(page).count()).toBe(0);
  expect(await composer(page).inputValue()).toBe("");
  await composer(page).press("Enter");
  await say(page, "for all");
  await page.goBack(); // the address is that of the conversation
  await recipient(page).getByText("Only you and bob see this").waitFor();
  await composer(page).press("Enter");
  await until("bob to have both", () => bob.messages.length === 2);
  expect(bob.messages.map(({ body, to }) => [body, to])).toEqual([
    ["for all", undefined],
    ["for bob", "bob"],
  ]);
  expect(cyd.messages.map(({ body }) => body)).toEqual(["for all"]);
  // Each list has what belongs to it, and nothing else.
  await page.locator(".message.own:not(.pending)", { hasText: "for bob" }).waitFor();
  expect(await shown(page)).toEqual(["for bob"]);
  await entry(page, name).click();
  await page.locator(".message", { hasText: "for all" }).waitFor();
  expect(await shown(page)).toEqual(["for all"]);
});

test("what others write privately comes up in the sidebar, and is read there", async () => {
  const name = fresh("comes");
  const { bob } = await others(name);
  const { page } = await open(name);
  await bob.send("psst", { to: "ada" });
  await bob.send("are you there?", { to: "ada" });
  await bob.send("hello all");
  await page.locator(".message", { hasText: "hello all" }).waitFor();
  expect(await shown(page)).toEqual(["hello all"]);
  const unread = page.locator(".talks .badge.direct", { hasText: "2" });
  await unread.waitFor();
  await expect.poll(() => page.title()).toMatch(/^\(2\) /);
  await talk(page, "bob").click();
  await page.locator(".rule.new").waitFor();
  expect(await shown(page)).toEqual(["psst", "are you there?"]);
  await unread.waitFor({ state: "detached" });
  // A window of the same user knows the conversation from the history.
  const again = await open(name);
  await talk(again.page, "bob").click();
  await again.page.locator(".message", { hasText: "psst" }).waitFor();
  expect(await shown(again.page)).toEqual(["psst", "are you there?"]);
});

test("what comes while one looks on is read, in each conversation that one has come from another to", async () => {
  const name = fresh("looks-on");
  const { bob } = await others(name);
  const { page, problems } = await open(name);
  const says = async (text: string, to?: string) => {
    await bob.send(text, to === undefined ? {} : { to });
    await page.locator(".message", { hasText: text }).waitFor();
  };
  const unread = () => page.locator("#channels .badge, .rule.new").count();
  await says("hello all");
  await choose(page, "bob").click();
  await recipient(page).waitFor();
  await says("psst", "ada");
  await entry(page, name).click();
  await recipient(page).waitFor({ state: "detached" });
  await says("as I said");
  expect(await unread()).toBe(0);
  await talk(page, "bob").click();
  await recipient(page).waitFor();
  await says("are you there?", "ada");
  expect(await unread()).toBe(0);
  expect(problems).toEqual([]);
});

test("a conversation far back is looked for as long as one wants", async () => {
  const name = fresh("far");
  const { bob, cyd } = await others(name);
  await bob.send("long ago", { to: "ada" });
  for (let sent = 0; sent < 700; sent += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => cyd.send(`message ${sent + i}`)));
  }
  const { page } = await open(name);
  await choose(page, "bob").click();
  await page.getByText(`None of the latest messages in ${name} are part of this conversation.`).waitFor();
  expect(await shown(page)).toEqual([]);
  await page.getByRole("button", { name: "Look further back" }).click();
  await page.locator(".message", { hasText: "long ago" }).waitFor();
  await page.getByText("This is the beginning of your conversation with bob.").waitFor();
  expect(await shown(page)).toEqual(["long ago"]);
});

test("what is unread is known after a reload, and what came meanwhile is counted", async () => {
  const [one, two] = [fresh("one"), fresh("two")];
  const { bob } = await others(one);
  const { page } = await open(one);
  await page.getByLabel("Open a channel").fill(two);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: two }).waitFor();
  await bob.send("look, ada", { mentions: ["ada"] });
  await bob.send("psst", { to: "ada" });
  const badge = page.locator("#channels li", { has: page.getByRole("link", { name: one }) });
  await badge.locator(".badge.direct", { hasText: "@1" }).waitFor();
  await page.locator(".talks .badge.direct", { hasText: "1" }).waitFor();
  await page.goto("about:blank");
  await bob.send("and another");
  await bob.send("psst again", { to: "ada" });
  await page.goto(inject("server") + `/#/${two}`);
  await badge.locator(".badge", { hasText: "@2" }).waitFor();
  await page.locator(".talks .badge", { hasText: "2" }).waitFor();
  await page.reload();
  await badge.locator(".badge", { hasText: "@2" }).waitFor();
  await talk(page, "bob").click();
  await page.locator(".message", { hasText: "psst again" }).waitFor();
  await page.locator(".talks .badge").waitFor({ state: "detached" });
  await page.reload();
  await page.locator(".message", { hasText: "psst again" }).waitFor();
  expect(await page.locator(".talks .badge").count()).toBe(0);
});

test("a bar leads to the first of many messages that are unread", async () => {
  const [one, two] = [fresh("many"), fresh("many")];
  const { bob } = await others(one);
  await bob.send("read before");
  const { page } = await open(one);
  await page.locator(".message", { hasText: "read before" }).waitFor();
  await page.getByLabel("Open a channel").fill(two);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: two }).waitFor();
  await page.goto("about:blank");
  // More than the page fetches at first.
  for (let i = 0; i < 120; i++) await bob.send(`unread ${i}`);
  await page.goto(`${inject("server")}/#/${one}`);
  await page.locator(".message", { hasText: "unread 119" }).waitFor();
  await page.locator(".news").getByRole("button", { name: /new messages/ }).click();
  await page.locator(".message.found", { hasText: "unread 0" }).waitFor();
  await page.locator(".rule.new").waitFor();
  await page.locator(".news button").first().waitFor({ state: "detached" });
});

test("notifications of a channel can be turned off, and a conversation closed", async () => {
  const [one, two] = [fresh("quiet"), fresh("quiet")];
  const { bob } = await others(one);
  const { page } = await open(one);
  await bob.send("psst", { to: "ada" });
  await talk(page, "bob").waitFor();
  await page.getByRole("button", { name: "Channel options" }).click();
  await page.getByLabel("Invite link").waitFor();
  expect(await page.getByLabel("Invite link").inputValue()).toBe(`${inject("server")}/#/${one}`);
  await page.getByLabel("Notifications").selectOption("none");
  await page.keyboard.press("Escape");
  await page.getByLabel("Open a channel").fill(two);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: two }).waitFor();
  await bob.send("anybody?");
  await page.locator("#channels li.off .badge", { hasText: "1" }).waitFor();
  await expect.poll(() => page.title()).toMatch(/^\(1\) /); // the private one
  await page.reload();
  await page.locator("#channels li.off .badge", { hasText: "1" }).waitFor();

  await talk(page, "bob").click();
  await page.getByRole("button", { name: "Conversation options" }).click();
  await page.getByRole("button", { name: "Close conversation" }).click();
  await page.getByRole("heading", { name: one }).waitFor();
  expect(await page.locator(".talks").count()).toBe(0);
  await page.reload();
  await page.locator(".message", { hasText: "anybody?" }).waitFor();
  expect(await page.locator(".talks").count()).toBe(0);
  await bob.send("psst again", { to: "ada" });
  await talk(page, "bob").waitFor();
});

test("who was signed in still is in the next window, but not in a second one", async () => {
  const name = fresh("again");
  const { page } = await open(name);
  const second = await page.context().newPage();
  await second.goto(inject("server"));
  await second.getByLabel("Your name").waitFor();
  expect(await second.getByLabel("Your name").inputValue()).toBe("");
  await second.close();
  await page.close();
  const next = await page.context().newPage();
  await next.goto(inject("server"));
  await next.getByRole("heading", { name }).waitFor();
  await next.getByText("1 here").waitFor();
  await next.getByRole("button", { name: "Settings" }).click();
  await next.getByRole("button", { name: "Sign out" }).click();
  await next.reload();
  await next.getByLabel("Your name").waitFor();
  expect(await next.getByLabel("Your name").inputValue()).toBe("ada");
});
