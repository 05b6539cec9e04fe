import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { between, refuse, type Change } from "../support/between.ts";
import { openWindow, say } from "../support/browser.ts";
import { enterAs, memberOf, moderating, unexpected } from "../support/guarded.ts";
import { everything, tokenOf } from "../support/site.ts";
import { browser, fresh } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** Moderation and signals where clocks are wrong, and the server refuses things. */

const phone = { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true };
const HOUR = 3_600_000;

/** A moderator, and the page of bob, or of another moderator, ada. */
async function beside(name: string, user: "ada" | "bob", options: object = {}, change?: Change, clock = 0, ofServer?: Change) {
  const channel = fresh(name);
  const { page, problems } = await openWindow(browser, options);
  if (change) await between(page, change, ofServer);
  await page.addInitScript((by) => {
    const { now } = Date;
    Date.now = () => now() + by;
  }, clock);
  const grace = await memberOf("grace", channel, moderating);
  await enterAs(page, tokenOf(user, 600, user === "ada" ? moderating : everything), channel);
  return { channel, page, problems, grace };
}

const access = (page: Page) => page.locator(".access");

test("with a clock an hour slow, a mute ends when it ends", async () => {
  const { page, grace } = await beside("slow-clock", "bob", {}, undefined, -HOUR);
  const told = access(page).getByText(/You are muted here until/).waitFor();
  await grace.mute("bob", { for: 5_000 });
  await told;
  await access(page).locator("p").waitFor({ state: "detached" });
  await say(page, "again");
  await until("the message", () => grace.messages.at(-1)?.body === "again");
});

test("with a clock an hour fast, a mute lasts until it ends", async () => {
  const { page, grace } = await beside("fast-clock", "bob", {}, undefined, HOUR);
  await grace.mute("bob", { for: 600_000 });
  await access(page).getByText(/You are muted here until/).waitFor();
  expect(await page.locator("#composer").getAttribute("readonly")).not.toBeNull();
});

test("with a clock an hour fast, a ban that ends lets one back in, after a reload too", async () => {
  const { page, grace } = await beside("early", "bob", {}, undefined, HOUR);
  await grace.ban("bob", { for: 15_000 });
  await page.getByText(/You are banned from .* until/).waitFor();
  await page.reload();
  await page.getByText(/You are banned from .* until/).waitFor();
  await until("bob to be back", () => grace.members.includes("bob"));
});

test("slow mode counts on when something else is set", async () => {
  const { page, grace } = await beside("counts", "bob");
  await grace.set({ slow: 3600 });
  await access(page).getByText("Slow mode").waitFor();
  await say(page, "one");
  const left = access(page).getByText(/You can write again in/);
  await left.waitFor();
  await grace.set({ topic: "releases" });
  await page.locator(".topic", { hasText: "releases" }).waitFor();
  await page.locator("#composer").fill("two");
  expect(await left.count()).toBe(1);
  expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
  // Set again it counts from then on, as the server does.
  await grace.set({ slow: 1800 });
  await left.waitFor({ state: "detached" });
  await page.locator("#composer").press("Enter");
  await until("the message", () => grace.messages.at(-1)?.body === "two");
});

test("what could not be set is shown as it is, and why is said where the moderator is", async () => {
  const { page } = await beside("refused", "ada", {}, (frame, socket) =>
    frame.method === "set" ? refuse(socket, frame, 1011, "full", { limit: 1 }) : frame,
  );
  await page.getByRole("button", { name: "Moderation" }).click();
  const panel = page.getByRole("dialog", { name: "Moderation" });
  const freeze = panel.getByLabel("Only moderators may write");
  await freeze.click();
  await panel.getByRole("alert").getByText("the limit is reached").waitFor();
  expect(await freeze.isChecked()).toBe(false);
  const slow = panel.getByLabel("Slow mode");
  await slow.selectOption({ label: "5 sec" });
  await until("the setting of now", async () => (await slow.inputValue()) === "0");
});

test("a list of sanctions that was away for a moment is read again", async () => {
  let away = true;
  let refused = 0;
  const { page, grace } = await beside("list", "ada", {}, (frame, socket) =>
    frame.method === "sanctions" && away ? (refused++, refuse(socket, frame, 1008, "away")) : frame,
  );
  await page.getByRole("button", { name: "Moderation" }).click();
  const panel = page.getByRole("dialog", { name: "Moderation" });
  await panel.getByText("history is not available right now").waitFor();
  away = false;
  await panel.getByText("Nobody.").waitFor();
  // So is one that is there already, and not as it is by now.
  away = true;
  await grace.mute("eve");
  await until("a refusal", () => refused > 1);
  away = false;
  await panel.getByRole("button", { name: "Lift for eve" }).waitFor();
});

test("a list of sanctions that comes late does not take the place of a newer one", async () => {
  const first: { id: number | undefined; release?: () => void } = { id: undefined };
  const { page, grace } = await beside(
    "late",
    "ada",
    {},
    (frame) => {
      if (frame.method === "sanctions") first.id ??= frame.id;
      return frame;
    },
    0,
    (frame, socket) => {
      if (frame.id === undefined || frame.id !== first.id) return frame;
      first.release = () => socket.send(JSON.stringify(frame));
      return undefined;
    },
  );
  await page.getByRole("button", { name: "Moderation" }).click();
  const panel = page.getByRole("dialog", { name: "Moderation" });
  await until("the first list", () => first.release !== undefined);
  await grace.mute("eve");
  const eve = panel.getByRole("button", { name: "Lift for eve" });
  await eve.waitFor();
  first.release!();
  await grace.set({ topic: "later" });
  await page.locator(".topic", { hasText: "later" }).waitFor();
  expect(await eve.count()).toBe(1);
});

test("who asks for more sanctions while the list is read again has both", async () => {
  const muted = (user: string) => ({ user, action: "mute", by: { user: "grace" }, time: 1, seq: 1 });
  const users = ["abe"];
  let lists = 0;
  let release: (() => void) | undefined;
  const { page, grace } = await beside("both", "ada", {}, (frame, socket) => {
    if (frame.method !== "sanctions") return frame;
    const { id, params } = frame;
    const answer = (users: string[], more: boolean) =>
      socket.send(JSON.stringify({ jsonrpc: "2.0", id, result: { sanctions: users.map(muted), more } }));
    if (params.after !== undefined) answer(["zed"], false);
    else if (++lists === 1) answer(users, true);
    else release = () => answer(users, true);
    return undefined;
  });
  await page.getByRole("button", { name: "Moderation" }).click();
  const panel = page.getByRole("dialog", { name: "Moderation" });
  const of = (user: string) => panel.getByRole("button", { name: `Lift for ${user}` });
  await of("abe").waitFor();
  users.unshift("aaron");
  await grace.mute("aaron");
  await until("the list to be asked for again", () => release !== undefined);
  await panel.locator("section > button").click();
  await of("zed").waitFor();
  release!();
  await of("aaron").waitFor();
  await panel.locator("section > button").click();
  await of("zed").waitFor();
  expect(await panel.locator(".sanctions li").count()).toBe(3);
});

test("all of a long topic can be written, and read on a phone", async () => {
  const topic = "releases ".repeat(28) + "soon"; // 256 bytes
  const { page, grace } = await beside("topic", "ada", phone);
  await page.getByRole("button", { name: "Moderation" }).click();
  const panel = page.getByRole("dialog", { name: "Moderation" });
  const save = panel.getByRole("button", { name: "Save" });
  await panel.getByLabel("Topic").fill("题".repeat(86));
  expect(await save.isDisabled()).toBe(true);
  await panel.getByLabel("Topic").fill("");
  await page.keyboard.insertText(topic);
  await save.click();
  await until("the topic", () => grace.settings.topic !== "");
  expect(grace.settings.topic).toBe(topic);
  await panel.getByRole("button", { name: "Close" }).click();
  const shown = page.getByRole("button", { name: topic });
  const whole = () => shown.evaluate((e) => e.scrollWidth <= e.clientWidth);
  expect(await whole()).toBe(false);
  await shown.press("Enter");
  await until("all of it", whole);
  expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)).toBe(false);
});

/** Types until something has come of it. */
async function typing(page: Page, done: () => boolean): Promise<void> {
  await until("a signal", async () => {
    await page.locator("#composer").press("x");
    return done();
  });
}

test("where signals do not work, one writes as ever, and they are not tried again and again", async () => {
  let tried = 0;
  const { page, problems, grace } = await beside("away", "bob", {}, (frame, socket) =>
    frame.method === "signal" && tried++ < 100 ? refuse(socket, frame, 1007, "unavailable", { retry: 1000 }) : frame,
  );
  await typing(page, () => tried > 0);
  for (const text of ["one", "two"]) {
    await say(page, text);
    await until("the message", () => grace.messages.at(-1)?.body === text);
    await page.locator("#composer").press("y");
    await page.locator("#composer").fill("");
  }
  expect(tried).toBe(1);
  expect(await page.locator(".notice p").count()).toBe(0);
  expect(problems.filter(unexpected)).toEqual([]);
});

test("a cut connection does not keep one from being shown as typing", async () => {
  let cut = false;
  const { page, grace } = await beside("cut", "bob", {}, (frame, socket) => {
    if (frame.method !== "signal" || cut) return frame;
    cut = true;
    void socket.close({ code: 3001 });
    return undefined;
  });
  let came = 0;
  grace.on("signal", () => came++);
  await typing(page, () => came > 0);
});

test("who has left is not typing", async () => {
  const { channel, page } = await beside("left", "bob");
  const carl = await memberOf("carl", channel, everything);
  await carl.signal("typing");
  await page.locator(".typing").getByText("carl is typing…").waitFor();
  await carl.leave();
  await page.locator("#members .name", { hasText: "carl" }).waitFor({ state: "detached" });
  expect(await page.locator(".typing").textContent()).toBe("");
});
