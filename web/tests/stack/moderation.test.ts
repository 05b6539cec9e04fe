import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { findings, openWindow, say, screenshot, shown } from "../support/browser.ts";
import { enterAs, memberOf, moderating, unexpected } from "../support/guarded.ts";
import { everything, tokenOf } from "../support/site.ts";
import { browser, fresh } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** A moderator, and those whom moderators deal with. */

/** Windows of a moderator, ada, and of others, all in one channel; and what went wrong in any. */
async function together(name: string, ...others: string[]) {
  const channel = fresh(name);
  const windows = await Promise.all(["ada", ...others].map(() => openWindow(browser)));
  const pages = windows.map(({ page }) => page);
  for (const [i, user] of ["ada", ...others].entries()) {
    await enterAs(pages[i]!, tokenOf(user, 600, i === 0 ? moderating : everything), channel);
  }
  const problems = () => windows.flatMap(({ problems }) => problems).filter(unexpected);
  return { channel, problems, ada: pages[0]!, others: pages.slice(1) };
}

/** The menu of a member, as a moderator opens it. */
async function menuOf(page: Page, user: string): Promise<Locator> {
  await page.getByRole("button", { name: `Moderate ${user}` }).click();
  return page.getByRole("dialog", { name: `Moderate ${user}` });
}

async function panel(page: Page): Promise<Locator> {
  await page.getByRole("button", { name: "Moderation" }).click();
  return page.getByRole("dialog", { name: "Moderation" });
}

const access = (page: Page) => page.locator(".access");
const field = (page: Page) => page.locator("#composer");
const close = (dialog: Locator) => dialog.getByRole("button", { name: "Close" }).click();

test("muted: one reads on, hears until when and why, and writes again when it is lifted", async () => {
  const { ada, others, problems } = await together("mute", "bob");
  const [bob] = others as [Page];
  await say(bob, "spam");
  await ada.locator(".message", { hasText: "spam" }).waitFor();
  const menu = await menuOf(ada, "bob");
  await menu.getByLabel("Reason (optional)").fill("off topic");
  expect(await findings(ada)).toEqual([]);
  await screenshot(ada, "moderation-member");
  await menu.getByRole("button", { name: "Mute for 10 minutes" }).click();
  await access(bob).getByText(/You are muted here until .*\. Reason: off topic/).waitFor();
  await ada.getByText("ada muted bob. Reason: off topic").waitFor();
  expect(await field(bob).getAttribute("readonly")).not.toBeNull();
  expect(await bob.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
  expect(await findings(bob)).toEqual([]);
  await screenshot(bob, "moderation-muted");
  await say(ada, "as I said");
  await bob.locator(".message", { hasText: "as I said" }).waitFor();

  await bob.reload();
  await access(bob).getByText(/You are muted here until/).waitFor();
  // What is one's own can still be deleted, and nothing else be done to it.
  await bob.locator(".message", { hasText: "spam" }).locator(".more").click({ force: true });
  const own = bob.getByRole("dialog", { name: "Message" });
  await own.getByRole("button", { name: "Delete", exact: true }).waitFor();
  expect(await own.getByRole("button", { name: /^(Edit|Reply|React with .*)$/ }).count()).toBe(0);
  await close(own);

  const list = await panel(ada);
  await list.getByText(/muted until .* Reason: off topic/).waitFor();
  expect(await findings(ada)).toEqual([]);
  await screenshot(ada, "moderation-panel");
  await list.getByRole("button", { name: "Lift for bob" }).click();
  await list.getByText("Nobody.").waitFor();
  await access(bob).locator("p").waitFor({ state: "detached" });
  await say(bob, "sorry");
  await until("both", async () => (await shown(ada)).join() === "spam,as I said,sorry");
  expect(problems()).toEqual([]);
});

test("a mute ends by itself when its time is over", async () => {
  const { channel, others } = await together("ends", "bob");
  const [bob] = others as [Page];
  const moderator = await memberOf("grace", channel, moderating);
  const told = access(bob).getByText(/You are muted here until/).waitFor();
  await moderator.mute("bob", { for: 5_000 });
  await told;
  await access(bob).locator("p").waitFor({ state: "detached" });
  await say(bob, "again");
  await bob.locator(".message.own:not(.pending):not(.failed)", { hasText: "again" }).waitFor();
});

test("banned: out at once, with all one wrote, and back in when it is lifted", async () => {
  const { ada, others, problems } = await together("ban", "eve", "bob");
  const [eve, bob] = others as [Page, Page];
  for (const text of ["buy", "now"]) await say(eve, text);
  await say(bob, "hm");
  await until("all", async () => (await shown(ada)).length === 3);
  // A message has the same menu as a member.
  await ada.locator(".message", { hasText: "buy" }).locator(".more").click({ force: true });
  const menu = ada.getByRole("dialog", { name: "Message" });
  await menu.getByLabel("Reason (optional)").fill("advertising");
  expect(await findings(ada)).toEqual([]);
  await screenshot(ada, "moderation-message");
  await menu.getByRole("button", { name: "Ban and delete messages" }).click();
  await ada.getByText("Ban eve and delete all of their messages here?").waitFor();
  await ada.getByRole("dialog").getByRole("button", { name: "Ban and delete" }).click();
  await access(eve).getByText(/You are banned from ban-.*\. Reason: advertising/).waitFor();
  await until("the purge", async () => (await shown(bob)).join() === "hm");
  expect(await bob.getByText("Deleted by ada.").count()).toBe(2);
  await bob.locator("#members .name", { hasText: "eve" }).waitFor({ state: "detached" });
  await say(ada, "gone");
  await bob.locator(".message", { hasText: "gone" }).waitFor();
  expect((await shown(eve)).includes("gone")).toBe(false);
  expect(await findings(eve)).toEqual([]);
  await screenshot(eve, "moderation-banned");

  await eve.reload();
  await eve.locator(".no-access").getByText(/You are banned from/).waitFor();
  expect(await findings(eve)).toEqual([]);
  await screenshot(eve, "moderation-shut");
  const list = await panel(ada);
  await list.getByRole("button", { name: "Lift for eve" }).click();
  await list.getByText("Nobody.").waitFor();
  await eve.getByRole("button", { name: "Try again" }).click();
  await eve.locator(".message", { hasText: "gone" }).waitFor();
  expect(problems()).toEqual([]);
});

test("a ban that ends lets one back in by itself", async () => {
  const { channel, others } = await together("ban-ends", "eve");
  const [eve] = others as [Page];
  const moderator = await memberOf("grace", channel, moderating);
  const told = eve.getByText(/You are banned from .* until/).waitFor();
  await moderator.ban("eve", { for: 5_000 });
  await told;
  await until("eve to be back", () => moderator.members.includes("eve"));
  await say(eve, "here I am");
  await eve.locator(".message.own:not(.pending):not(.failed)", { hasText: "here I am" }).waitFor();
});

test("kicked: one hears why, and joins again when one wants to", async () => {
  const { ada, others } = await together("kick", "bob");
  const [bob] = others as [Page];
  await say(ada, "hello");
  await bob.locator(".message", { hasText: "hello" }).waitFor();
  const menu = await menuOf(ada, "bob");
  await menu.getByLabel("Reason (optional)").fill("cool down");
  await menu.getByRole("button", { name: "Kick" }).click();
  await access(bob).getByText(/A moderator removed you from .*\. Reason: cool down/).waitFor();
  await ada.locator("#members .name", { hasText: "bob" }).waitFor({ state: "detached" });
  await say(ada, "meanwhile");
  await bob.getByRole("button", { name: "Join again" }).click();
  await bob.locator(".message", { hasText: "meanwhile" }).waitFor();
  await ada.locator("#members .name", { hasText: "bob" }).waitFor();
});

test("topic, slow mode and freeze: set by a moderator, who is not bound by them", async () => {
  const { ada, others, problems } = await together("settings", "bob");
  const [bob] = others as [Page];
  const dialog = await panel(ada);
  await dialog.getByLabel("Topic").fill("天".repeat(86));
  await dialog.getByText("Too long by 2 bytes").waitFor();
  expect(await dialog.getByRole("button", { name: "Save" }).isDisabled()).toBe(true);
  await dialog.getByLabel("Topic").fill("Releases <b>& more</b>");
  await dialog.getByRole("button", { name: "Save" }).click();
  await bob.locator(".topic", { hasText: "Releases <b>& more</b>" }).waitFor();
  await dialog.getByLabel("Slow mode").selectOption({ label: "5 min" });
  await access(bob).getByText("Slow mode: one message every 5 min.").waitFor();
  await say(bob, "one");
  await access(bob).getByText(/You can write again in [45]:\d\d/).waitFor();
  await say(bob, "two");
  expect(await field(bob).inputValue()).toBe("two"); // it is still there
  expect(await bob.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
  await screenshot(bob, "moderation-slow");
  await dialog.getByLabel("Slow mode").selectOption({ label: "5 sec" });
  await access(bob).getByText("Slow mode: one message every 5 sec.").waitFor();
  await close(dialog);
  for (const text of ["first", "second"]) await say(ada, text);
  await until("the moderator's", async () => (await shown(ada)).length === 3);
  await access(bob).getByText(/You can write again/).waitFor({ state: "detached" });
  await field(bob).press("Enter");
  await ada.locator(".message", { hasText: "two" }).waitFor();

  await panel(ada);
  await dialog.getByLabel("Only moderators may write").check();
  await access(bob).getByText("Only moderators can write here now.").waitFor();
  expect(await field(bob).getAttribute("readonly")).not.toBeNull();
  await close(dialog);
  await say(ada, "silence, please");
  await bob.locator(".message", { hasText: "silence, please" }).waitFor();
  await bob.reload();
  await access(bob).getByText("Only moderators can write here now.").waitFor();
  expect(await findings(bob)).toEqual([]);
  await screenshot(bob, "moderation-frozen");
  await panel(ada);
  await dialog.getByLabel("Only moderators may write").uncheck();
  await dialog.getByLabel("Slow mode").selectOption({ label: "Off" });
  await access(bob).locator("p").waitFor({ state: "detached" });
  expect(problems()).toEqual([]);
});

test("who may not moderate sees nothing of it, and what is forbidden stays so", async () => {
  const { channel, others } = await together("plain", "bob");
  const [bob] = others as [Page];
  await bob.locator("#members .name", { hasText: "ada" }).waitFor();
  const plain = await memberOf("carl", channel, everything);
  await bob.locator("#members .name", { hasText: "carl" }).waitFor();
  expect(await bob.getByRole("button", { name: /Moderat/ }).count()).toBe(0);
  await expect(plain.kick("bob")).rejects.toMatchObject({ code: 1002, data: { action: "moderate" } });
});

test("what another moderator sets is shown in a panel that is open", async () => {
  const { channel, ada, problems } = await together("set");
  const mod = await memberOf("mod", channel, moderating);
  const open = await panel(ada);
  await open.getByLabel("Topic").fill("old news");
  await open.getByRole("button", { name: "Save" }).click();
  await open.getByRole("button", { name: "Save", disabled: true }).waitFor();
  await mod.set({ slow: 30, frozen: true, topic: "the news of today" });
  await until("the topic", async () => (await open.getByLabel("Topic").inputValue()) === "the news of today");
  await until("slow mode", async () => (await open.getByLabel("Slow mode").inputValue()) === "30");
  await until("the freeze", () => open.getByLabel("Only moderators may write").isChecked());
  expect(problems()).toEqual([]);
});
