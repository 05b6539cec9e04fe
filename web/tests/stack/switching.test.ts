import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, openWindow, say, shown } from "../support/browser.ts";
import { steady } from "../support/scrolling.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** Whoever comes back to a channel finds it as they left it; a second click changes nothing. */

/** Texts of all heights. */
const text = (i: number) => `note ${i}: ${"They turned it round to see more of **the line**. ".repeat(1 + (i % 7))}`;

/** Two channels of Ada's, with the one open that has been written in for long. */
async function channels(name: string, size?: { width: number; height: number }, of = text) {
  const [long, other] = [fresh(name), fresh("other")];
  const bob = await somebody("bob").join(long, { maxPending: 200 });
  await Promise.all(Array.from({ length: 150 }, (_, i) => bob.send(of(i))));
  const { page, problems } = await openWindow(browser, size && { viewport: size });
  await enter(page, inject("server"), "ada", other);
  await page.evaluate((name) => (location.hash = `#/${name}`), long);
  await page.locator(".message", { hasText: "note 149:" }).waitFor();
  const go = async (name: string) => {
    await page.evaluate((name) => {
      const links = document.querySelectorAll<HTMLElement>("#channels .list a");
      [...links].find((link) => link.querySelector(".name")!.textContent === name)!.click();
    }, name);
    await page.getByRole("heading", { name, exact: true }).waitFor();
  };
  return { page, problems, bob, long, other, go };
}

/** The messages in sight as a whole, with their distances from the top of the list. */
function inSight(page: Page): Promise<[text: string, top: number][]> {
  return page.evaluate(() => {
    const { top, bottom } = document.querySelector(".scroller")!.getBoundingClientRect();
    return [...document.querySelectorAll("article.message")].flatMap((message) => {
      const box = message.getBoundingClientRect();
      if (box.top < top || box.bottom > bottom) return [];
      const [name] = message.querySelector(".body")!.textContent!.split(":");
      return [[name!, Math.round(box.top - top)] as [string, number]];
    });
  });
}

/** Reads back, some way from the end; returns what is in sight once the list no longer moves. */
async function readBack(page: Page, by = -777): Promise<[text: string, top: number][]> {
  await page.locator(".scroller").hover();
  for (let i = 0; i < 4; i++) {
    const before = await page.evaluate(() => document.querySelector(".scroller")!.scrollTop);
    await page.mouse.wheel(0, by);
    await page.waitForFunction((before) => document.querySelector(".scroller")!.scrollTop !== before, before);
  }
  await page.locator(".jump").waitFor();
  return settled(page);
}

/** What is in sight, as soon as it is so for ten frames. */
function settled(page: Page): Promise<[text: string, top: number][]> {
  return steady(page, () => inSight(page), (seen) => seen.length > 0);
}

test.each([
  { where: "on a desk", size: { width: 1200, height: 760 } },
  { where: "on a phone", size: { width: 390, height: 780 } },
])("what one read back to is where it was, whatever one has looked at since, $where", async ({ size }) => {
  const { page, problems, bob, long, other, go } = await channels("read", size);
  await say(page, "one of my own");
  await page.locator(".message.own:not(.pending)").waitFor();
  const read = await readBack(page);
  await go(other);
  await page.getByText(`This is the beginning of ${other}.`).waitFor();
  await go(long);
  expect(await settled(page)).toEqual(read);

  // What came meanwhile is not read, and there is a way to it.
  await go(other);
  await bob.send("later one");
  await bob.send("later two");
  await page.locator("#channels .badge", { hasText: "2" }).waitFor({ state: "attached" });
  await go(long);
  expect(await settled(page)).toEqual(read);
  await page.locator("#channels .badge", { hasText: "2" }).waitFor({ state: "attached" });
  await page.getByRole("button", { name: "2 new", exact: true }).waitFor();
  await page.getByRole("button", { name: "2 new messages" }).click();
  await page.locator(".message.found", { hasText: "later one" }).waitFor();
  await until("nothing unread", async () => (await page.locator("#channels .badge").count()) === 0);

  // A place of long ago is no more than that: one is at the end now, and stays there.
  await go(other);
  await bob.send("later three");
  await go(long);
  await page.locator(".message", { hasText: "later three" }).waitFor();
  expect((await settled(page)).at(-1)![0]).toBe("later three");
  await until("nothing unread", async () => (await page.locator("#channels .badge").count()) === 0);
  expect(problems).toEqual([]);
});

test("each conversation of a channel has its place", async () => {
  const { page, bob, long, go } = await channels("talk");
  await Promise.all(Array.from({ length: 60 }, (_, i) => bob.send(text(i), { to: "ada" })));
  const read = await readBack(page);
  await page.locator(".talks").getByRole("link", { name: "bob" }).click();
  await page.locator(".message", { hasText: "note 59:" }).waitFor();
  const privately = await readBack(page, -333);
  await go(long);
  expect(await settled(page)).toEqual(read);
  await page.locator(".talks").getByRole("link", { name: "bob" }).click();
  await page.locator(".recipient").waitFor();
  expect(await settled(page)).toEqual(privately);
});

test("a place is kept by whoever only passes through, before anything is drawn", async () => {
  const { page, bob, long, other, go } = await channels("pass", undefined, (i) => text(i).replaceAll("*", ""));
  const read = await readBack(page);
  await go(other);
  // The first marks need a parser, which takes a while to come.
  let come = () => {};
  const parser = new Promise<void>((resolve) => (come = resolve));
  await page.route("**/markdown-*.js", async (route) => {
    await parser;
    await route.continue();
  });
  await bob.send("later **one**");
  await page.locator("#channels .badge", { hasText: "1" }).waitFor({ state: "attached" });
  const drawn = await page.evaluate(async ({ long, other }) => {
    const click = (name: string) => {
      const links = document.querySelectorAll<HTMLElement>("#channels .list a");
      [...links].find((link) => link.querySelector(".name")!.textContent === name)!.click();
    };
    click(long);
    while (document.querySelector("h1")!.textContent !== long) await null;
    const rows = document.querySelectorAll(".scroller [data-key]").length;
    click(other);
    return rows;
  }, { long, other });
  expect(drawn).toBe(0);
  await page.getByRole("heading", { name: other, exact: true }).waitFor();
  come();
  await go(long);
  expect(await settled(page)).toEqual(read);
});

test.each(["by a link", "by a link that the page begins with"])(
  "led to an old message %s, one has not read what is below it",
  async (how) => {
    const { page, bob, long, other, go } = await channels("below");
    await go(other);
    await bob.send("later one");
    await bob.send("later two");
    const badge = page.locator("#channels .badge", { hasText: "2" });
    await badge.waitFor({ state: "attached" });
    const { seq, epoch } = bob.messages.find(({ body }) => body.startsWith("note 20:"))!;
    const hash = `#/${long}/${epoch}/${seq}`;
    if (how === "by a link") await page.evaluate((hash) => (location.hash = hash), hash);
    else {
      await page.goto("about:blank");
      await page.goto(`${inject("server")}/${hash}`);
    }
    await page.locator(".message.found", { hasText: "note 20:" }).waitFor();
    await settled(page);
    expect(await badge.count()).toBe(1);
    await page.getByRole("button", { name: "2 new", exact: true }).click();
    await page.locator(".message", { hasText: "later two" }).waitFor();
    await until("nothing unread", async () => (await badge.count()) === 0);
  },
);

test("a message that one is led to is shown, wherever one was before", async () => {
  const { page, bob, long, other, go } = await channels("led");
  const { seq, epoch } = bob.messages.find(({ body }) => body.startsWith("note 148:"))!;
  await readBack(page);
  await go(other);
  await page.evaluate((hash) => (location.hash = hash), `#/${long}/${epoch}/${seq}`);
  await page.getByRole("heading", { name: long, exact: true }).waitFor();
  await page.locator(".message.found", { hasText: "note 148:" }).waitFor();
});

test("a second click on a name, and a double click, select what the first one did", async () => {
  const name = fresh("twice");
  const [bob, cyd] = [await somebody("bob").join(name), await somebody("cyd").join(name)];
  // Below the name that is clicked, so that others are where it was.
  for (const user of [bob, cyd, bob, cyd]) await user.send("hello all");
  for (const user of [cyd, bob, bob]) await user.send("psst", { to: "ada" });
  const { page, problems } = await openWindow(browser);
  await enter(page, inject("server"), "ada", name);
  await until("all of them", async () => (await shown(page)).length === 4);
  const recipient = page.locator(".composer .recipient");
  const withBob = async () => {
    await recipient.getByText("Only you and bob see this").waitFor();
    await page.getByRole("heading", { name: "bob", exact: true }).waitFor();
  };
  const everybody = async () => {
    await page.getByRole("link", { name, exact: true }).click();
    await recipient.waitFor({ state: "detached" });
  };
  const names = {
    "among the messages": page.locator(".author", { hasText: "bob" }),
    "among the members": page.locator("#members").getByRole("button", { name: "bob" }),
  };
  for (const button of Object.values(names)) {
    for (let i = 0; i < 2; i++) {
      await button.nth(0).dblclick();
      await withBob();
      await button.nth(0).click();
      await page.locator("#composer:focus").waitFor();
      await button.nth(0).click({ clickCount: 3 });
      await withBob();
      await everybody();
    }
  }
  await names["among the messages"].last().dblclick();
  await withBob();
  await page.locator(".talks").getByRole("link", { name: "bob" }).dblclick();
  await withBob();
  await say(page, "between us");
  await until("bob to have it", () => bob.messages.at(-1)?.body === "between us");
  expect(bob.messages.at(-1)).toMatchObject({ to: "bob" });
  expect(cyd.messages.filter(({ body }) => body === "between us")).toEqual([]);

  // Only what says so leads back to everybody.
  await page.getByRole("button", { name: "Conversation options" }).click();
  await page.getByRole("button", { name: "Close conversation" }).dblclick();
  await recipient.waitFor({ state: "detached" });
  await page.getByRole("heading", { name, exact: true }).waitFor();
  await page.getByRole("link", { name, exact: true }).waitFor();
  expect(problems).toEqual([]);
});
