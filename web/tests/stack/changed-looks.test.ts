import { expect, test } from "vitest";
import { findings, openWindow, screenshot } from "../support/browser.ts";
import { enterAs, memberOf, moderating, unexpected } from "../support/guarded.ts";
import { focusAt, tabTo } from "../support/keys.ts";
import { tokenOf } from "../support/site.ts";
import { browser, fresh } from "../support/stage.ts";
import { lookSmall } from "../support/small.ts";
import { until } from "../support/wait.ts";

/** What changed messages look like, and the ways to change them. */

/** A channel with messages of every kind. */
async function scene(): Promise<string> {
  const name = fresh("changes");
  const [grace, linus, ming] = await Promise.all(["grace", "linus", "小明"].map((user) => memberOf(user, name, moderating)));
  const rules = await grace!.send("The runbook is at https://example.org/runbook, please keep it short");
  const question = await linus!.send("Does the migration need a maintenance window, or can it run while people chat?");
  // Of a message that others wrote a connector knows once it was pushed.
  await until("the question", () => grace!.messages.at(-1)?.seq === question.seq);
  await grace!.send("It can run at any time @linus, @ada checked that", { reply: question.seq!, mentions: ["linus", "ada"] });
  const typo = await ming!.send("太好了！我来测试一");
  await ming!.edit(typo.seq!, "太好了！我来测试一下。");
  const oops = await linus!.send("wrong window");
  await linus!.delete(oops.seq!);
  const spam = await linus!.send("buy now");
  await grace!.delete(spam.seq!, { reason: "advertising" });
  const gone = await ming!.send("登录和历史记录都没问题。");
  await linus!.send("Answering what is no longer there", { reply: spam.seq! });
  const done = await grace!.send("Done: 14 seconds for a million rows");
  for (const [one, names] of [[linus, ["🎉", "👍"]], [ming, ["🎉", "太棒了", "👀"]], [grace, ["🚀"]]] as const) {
    for (const emoji of names) await one!.react(done.seq!, emoji);
  }
  await ming!.send("👍", { reply: gone.seq! });
  await grace!.pin(rules.seq!);
  await grace!.pin(done.seq!);
  return name;
}

const looks = [
  { name: "light", options: { colorScheme: "light" as const } },
  { name: "dark", options: { colorScheme: "dark" as const } },
  {
    name: "phone",
    options: { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true },
  },
  { name: "chinese", options: { locale: "zh-CN" } },
];

test.each(looks)("$name: nothing serious in the way of who changes messages", async ({ name, options }) => {
  const { page, problems } = await openWindow(browser, options);
  const look = async (what: string) => {
    expect(await findings(page), what).toEqual([]);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(wide, what).toBe(false);
    await screenshot(page, `changes-${name}-${what}`);
    if (name === "light") await lookSmall(page, `changes-${what}`);
  };
  await enterAs(page, tokenOf("ada", 600, moderating), await scene());
  const done = page.locator(".message", { hasText: "14 seconds" });
  await done.locator(".reaction").nth(3).waitFor();
  await done.locator(".reaction").first().click();
  await done.locator(".reaction.on").waitFor();
  await page.locator("#composer").fill("one of my own");
  await page.locator("#composer").press("Enter");
  await page.locator(".message.own:not(.pending)").waitFor();
  await look("chat");

  const dialog = page.locator("dialog[open]");
  await done.locator(".more").click({ force: true });
  await dialog.locator(".who li").first().waitFor();
  await look("options");
  await dialog.locator(".at-hand button").last().click();
  await dialog.locator(".picker").waitFor();
  await look("picker");
  await dialog.locator(".actions .primary").click();
  await dialog.waitFor({ state: "detached" });

  await done.locator(".more").click({ force: true });
  await dialog.locator(".choices button").first().click();
  await page.locator(".composer .about .excerpt").waitFor();
  await page.locator("#composer").fill("thank you @");
  await page.locator(".mentions [role=option]").first().waitFor();
  await look("reply");
  await page.locator("#composer").press("Escape");
  await page.locator("#composer").fill("");
  await page.locator("#composer").press("Escape");
  await page.locator("#composer").press("ArrowUp");
  await until("the text", async () => (await page.locator("#composer").inputValue()) === "one of my own");
  await look("edit");
  await page.locator("#composer").press("Escape");

  await page.locator("button.pins").click();
  await dialog.locator(".pinned li").nth(1).waitFor();
  await look("pins");
  await dialog.locator(".actions .primary").click();
  await dialog.waitFor({ state: "detached" });
  await page.locator(".message.own .more").last().click({ force: true });
  await dialog.locator(".choices button").nth(2).click();
  await page.locator(".undo").waitFor();
  await look("undo");
  expect(problems.filter(unexpected)).toEqual([]);
});

test("all of it can be done by the keyboard alone, and the focus comes back", async () => {
  const { page } = await openWindow(browser);
  await enterAs(page, tokenOf("ada", 600, moderating), await scene());
  const done = page.locator(".message", { hasText: "14 seconds" });
  await done.locator(".reaction").first().waitFor();
  const at = (selector: string) => focusAt(page, selector);
  const tab = (selector: string, key?: string) => tabTo(page, selector, key);
  await page.locator("#composer").focus();
  await tab("article.message", "Shift+Tab");
  await tab("article:has(.reactions)", "ArrowUp");
  await tab("article:has(.reactions) .more");
  await page.keyboard.press("Enter");
  const dialog = page.locator("dialog[open]");
  await dialog.waitFor();
  await tab(".at-hand button:last-child");
  await page.keyboard.press("Enter");
  await dialog.locator(".picker").waitFor();
  for (const key of ["ArrowDown", "ArrowRight", "ArrowDown", "Enter"]) await page.keyboard.press(key);
  await done.locator(".reaction.on").waitFor();
  await dialog.waitFor({ state: "detached" });
  await until("the focus", () => at(".message:has(.reactions) .more"));

  await tab(".message:has(.reactions) .reaction.on", "Shift+Tab");
  await page.keyboard.press("Enter");
  await done.locator(".reaction.on").waitFor({ state: "detached" });

  await tab("button.pins", "Shift+Tab");
  await page.keyboard.press("Enter");
  await tab(".pinned li:last-child .link");
  await page.keyboard.press("Enter");
  await page.locator(".message.found", { hasText: "runbook" }).waitFor();
  await until("the focus", () => at(".message.found"));
});

// The event of a dialog that closes comes late: by then it may be open again.
test.each([
  { dialog: "message", opener: ".message:has(.reactions) .more", inside: ".choices button" },
  { dialog: "pins", opener: "button.pins", inside: ".pinned li" },
  { dialog: "moderation", opener: ".bar .moderation-button", inside: "input[type=checkbox]" },
  { dialog: "member", opener: "#members [aria-haspopup=dialog]", inside: ".measures button" },
])("the dialog of $dialog opens again as it closes", async ({ opener, inside }) => {
  const { page } = await openWindow(browser);
  await enterAs(page, tokenOf("ada", 600, moderating), await scene());
  await page.locator(".message .reaction").first().waitFor();
  await page.locator(opener).first().press("Enter");
  const dialog = page.locator("dialog[open]");
  await dialog.locator(inside).first().waitFor();
  await page.evaluate((opener) => {
    const dialog = document.querySelector<HTMLDialogElement>("dialog[open]")!;
    new MutationObserver((_, observer) => {
      observer.disconnect();
      document.querySelector<HTMLElement>(opener)!.click();
    }).observe(dialog, { attributeFilter: ["open"] });
    const late = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    dialog.querySelector<HTMLElement>(".actions .primary")!.click();
    return late.then(() => undefined);
  }, opener);
  await dialog.locator(inside).first().waitFor();
});
