import axe from "axe-core";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContextOptions, Page, WebSocketRoute } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { between, refuse } from "../support/between.ts";
import { openWindow, say, screenshot } from "../support/browser.ts";
import { Server } from "../support/server.ts";
import { everything, secret, Site } from "../support/site.ts";
import { browser, fresh } from "../support/stage.ts";

/** What people see who may not, or not yet, or not any more. */

let folder: string;
let server: Server;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-key-"));
  writeFileSync(join(folder, "key"), secret);
  server = await Server.start(inject("binary"), undefined, ["--auth-secret", join(folder, "key")]);
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const phone: BrowserContextOptions = {
  viewport: { width: 360, height: 640 },
  hasTouch: true,
  isMobile: true,
};

/** A window of somebody who is logged in on the site, in a channel. */
async function visit(channel: string, options: BrowserContextOptions = {}, site = new Site()) {
  const { page, problems } = await openWindow(browser, options);
  await site.on(page);
  site.user ??= "ada";
  const go = () => page.goto(`${server.url}/#/${encodeURIComponent(channel)}`);
  return { page, problems, site, go };
}

/** Keeps a picture; nothing is wider than the screen, or in anybody's way. */
async function look(page: Page, name: string): Promise<void> {
  await screenshot(page, `access-${name}`);
  expect(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)).toBe(false);
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (window as any).axe.run());
  const serious = (violations as axe.Result[]).filter(({ impact }) => /serious|critical/.test(impact!));
  expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`)).toEqual([]);
}

test("whoever is logged in on the site is asked for nothing", async () => {
  const { page, site, go, problems } = await visit(fresh("in"));
  await go();
  await page.locator("#members", { hasText: "ada (you)" }).waitFor();
  await say(page, "hello");
  await page.locator(".message.own:not(.pending)", { hasText: "hello" }).waitFor();
  await page.reload();
  await page.locator(".message.own", { hasText: "hello" }).waitFor();
  expect(site.asked).toEqual(["POST token", "POST token"]);
  expect(await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }))).not.toContain("eyJ");
  expect(problems).toEqual([]);
});

test("whoever is not is led to where they log in, and back to the channel", async () => {
  const { page, site, go } = await visit("from a link", phone);
  site.user = undefined;
  await go();
  await page.getByText("You need to log in to use this chat.").waitFor();
  await look(page, "log-in");
  await page.getByRole("link", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Who?" }).waitFor();
  expect(page.url()).toBe(`${server.url}/auth/login`);
  site.user = "ada";
  await page.goto(server.url);
  await page.getByRole("heading", { name: "from a link" }).waitFor();
});

test.each(["javascript:alert(1)", "data:text/html,x", 7, null])(
  "a login address that is not one of a page, %j, becomes no link",
  async (login) => {
    const { page, site, go } = await visit("lobby");
    Object.assign(site, { user: undefined, login });
    await go();
    await page.getByText("You need to log in to use this chat.").waitFor();
    await page.getByRole("button", { name: "Log in" }).waitFor();
    expect(await page.getByRole("link").count()).toBe(0);
  },
);

test("a site that is out of order is asked again", async () => {
  const { page, site, go } = await visit(fresh("down"));
  site.down = true;
  await go();
  await page.getByText("You cannot log in right now.").waitFor();
  site.down = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator("#members", { hasText: "ada (you)" }).waitFor();
});

test("signing out is signing out of the site", async () => {
  const { page, site, go } = await visit(fresh("out"));
  await go();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  await page.getByRole("link", { name: "Log in" }).waitFor();
  expect(site.asked).toEqual(["POST token", "POST logout", "POST token"]);
});

test.each([
  ["en-GB", "You do not have access to {}.", "Please ask whoever runs this chat for access.", "Try again"],
  ["zh-CN", "你无权访问 {}。", "如需访问，请联系聊天管理员。", "重试"],
])("no right to join, %s: it says so, and whom to ask", async (locale, text, ask, again) => {
  const name = fresh("secret");
  const { page, site, go } = await visit(name, { ...phone, locale });
  site.grants = [{ channels: ["lobby"], allow: ["*"] }];
  await go();
  await page.locator(".no-access").getByText(text.replace("{}", name)).waitFor();
  await page.getByText(ask).waitFor();
  expect(await page.locator("#composer").count()).toBe(0);
  expect(site.asked).toContain("POST channel-token");
  await look(page, `no-join-${locale}`);
  await page.locator('[aria-controls="channels"]').click();
  await page.locator(".channels .shut").waitFor();
  await look(page, `no-join-sidebar-${locale}`);
  await page.locator(".shade").click({ position: { x: 340, y: 400 } });
  const button = page.locator(".no-access button");
  const asked = site.asked.length;
  await button.press("Enter");
  await expect.poll(() => site.asked.length).toBe(asked + 2); // both tokens, in vain
  await page.getByRole("button", { name: again }).waitFor();
  await expect.poll(() => button.evaluate((element) => element === document.activeElement)).toBe(true);
  site.grants = everything;
  await button.press("Enter");
  await page.locator("#composer").waitFor();
});

test.each([
  ["en-GB", "You can read here, but not write.", "Not sent: you cannot write here", "Check again", "Try again"],
  ["zh-CN", "你可以在此阅读，但不能发言。", "未发送：你不能在此发言", "重新检查", "重试"],
])("no right to write, %s: the composer says why", async (locale, text, why, check, retry) => {
  const { page, site, go } = await visit(fresh("read"), { ...phone, locale });
  site.grants = [{ channels: ["*"], allow: ["join", "history"] }];
  await go();
  await say(page, "hello");
  await page.locator(".access").getByText(text).waitFor();
  await page.getByText(why).waitFor();
  expect(await page.locator("#composer").getAttribute("readonly")).not.toBeNull();
  expect(await page.locator("#composer").evaluate((field) => field === document.activeElement)).toBe(true);
  await look(page, `no-write-${locale}`);
  site.grants = everything;
  await page.getByRole("button", { name: check }).click();
  await page.locator("#composer:not([readonly])").waitFor();
  await page.getByRole("button", { name: retry }).click();
  await page.locator(".message.own:not(.failed):not(.pending)", { hasText: "hello" }).waitFor();
});

test("without the right to write privately one can write to all", async () => {
  const name = fresh("public");
  const { page, site, go } = await visit(name);
  site.grants = [{ channels: ["*"], allow: ["join", "history", "chat"] }];
  const bob = await visit(name, {}, Object.assign(new Site(), { user: "bob" }));
  await bob.go();
  await bob.page.locator("#members", { hasText: "bob (you)" }).waitFor();
  await go();
  await page.locator("#members").getByRole("button", { name: "bob" }).click();
  await say(page, "psst");
  await page.getByText("You cannot write private messages here.").waitFor();
  await page.locator("#channels").getByRole("link", { name }).click();
  await say(page, "hello all");
  await page.locator(".message.own:not(.pending)", { hasText: "hello all" }).waitFor();
  expect(await page.locator(".access p").count()).toBe(0);
});

test("no right to history: it says so, once", async () => {
  const { page, site, go } = await visit(fresh("now"));
  site.grants = [{ channels: ["*"], allow: ["join", "chat"] }];
  let asked = 0;
  await between(page, (frame) => (frame.method === "history" && asked++, frame));
  await go();
  await page.getByText("You cannot read earlier messages here.").waitFor();
  expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
  await say(page, "from now on");
  await page.locator(".message.own:not(.pending)").waitFor();
  expect(asked).toBeLessThan(3);
});

test.each([
  ["en-GB", "You no longer have access to {}. New messages do not appear here.", "Try again"],
  ["zh-CN", "你已失去 {} 的访问权限，这里不再显示新消息。", "重试"],
])("put out while reading, %s: what was read stays, and what was written", async (locale, text, again) => {
  const name = fresh("removed");
  const { page, go } = await visit(name, { ...phone, locale });
  let out = false;
  let last: WebSocketRoute;
  await between(page, (frame, socket) => {
    last = socket;
    return out && frame.method === "join"
      ? refuse(socket, frame, 1002, "forbidden", { action: "join", channel: name })
      : frame;
  });
  await go();
  await say(page, "hello");
  await page.locator(".message.own:not(.pending)").waitFor();
  await page.locator("#composer").fill("half a sentence");
  out = true;
  const params = { channel: name, seq: Number.MAX_SAFE_INTEGER, reason: "forbidden" };
  last!.send(JSON.stringify({ jsonrpc: "2.0", method: "removed", params }));
  await page.locator(".access").getByText(text.replace("{}", name)).waitFor();
  await page.locator(".message", { hasText: "hello" }).waitFor();
  expect(await page.locator("#composer").inputValue()).toBe("half a sentence");
  await look(page, `removed-${locale}`);
  out = false;
  await page.getByRole("button", { name: again }).click();
  await page.locator("#composer:not([readonly])").waitFor();
  expect(await page.locator(".access p").count()).toBe(0);
});

test.each([
  ["en-GB", 1_893_456_000_000, /You are barred from this chat until 1 January 2030 at .* Reason: spam/],
  ["en-GB", 0, "You are barred from this chat. Reason: spam"],
  ["zh-CN", 1_893_456_000_000, /在2030年1月1日 .*之前，你被禁止使用此聊天。 原因：spam/],
])("barred, %s until %i: it says until when and why", async (locale, until, text) => {
  const { page, go } = await visit(fresh("barred"), { ...phone, locale, timezoneId: "UTC" });
  await between(page, (frame, socket) => {
    if (frame.method !== "hello" || !frame.params.token) return frame;
    refuse(socket, frame, 1009, "barred", { action: "ban", reason: "spam", ...(until && { until }) });
    return void socket.close({ code: 3503, reason: "barred" });
  });
  await go();
  await page.locator(".connection").getByText(text).waitFor();
  await look(page, `barred-${locale}-${until}`);
});

test.each([
  ["en-GB", "The server is busy.", /Reconnecting in \d+ s/],
  ["zh-CN", "服务器繁忙。", /\d+ 秒后重新连接/],
])("try later, %s: it says when", async (locale, text, countdown) => {
  const { page, go } = await visit(fresh("later"), { ...phone, locale });
  let busy = false;
  const sockets: WebSocketRoute[] = [];
  await between(page, (frame, socket) => {
    sockets.push(socket);
    return busy && frame.method === "hello" ? void socket.close({ code: 3014 }) : frame;
  });
  await go();
  await page.locator(".members .name .muted").waitFor({ state: "attached" });
  busy = true;
  await sockets.at(-1)!.close({ code: 3014 });
  await page.getByText(text).waitFor();
  const shown = page.getByText(countdown);
  await shown.waitFor();
  // Read out once, not every second.
  expect(await shown.getAttribute("aria-hidden")).toBe("true");
  await look(page, `later-${locale}`);
  busy = false;
  await page.locator(".connection button").click();
  await page.locator(".connection p").waitFor({ state: "detached" });
});

/** Someone in a channel with a message, and how to have their token run out. */
async function chatting(name: string, options: BrowserContextOptions = {}) {
  const visitor = await visit(fresh(name), options);
  const sockets: WebSocketRoute[] = [];
  await between(visitor.page, (frame, socket) => (sockets.push(socket), frame));
  await visitor.go();
  await say(visitor.page, "hello");
  await visitor.page.locator(".message.own:not(.pending)").waitFor();
  return { ...visitor, expire: () => sockets.at(-1)!.close({ code: 3005, reason: "token expired" }) };
}

test("a token that runs out is replaced without a word", async () => {
  const { page, site, expire } = await chatting("expired");
  await expire();
  await say(page, "still here");
  await page.locator(".message.own:not(.pending)", { hasText: "still here" }).waitFor();
  expect(site.asked).toEqual(["POST token", "POST token"]);
});

test.each([
  ["en-GB", "You cannot log in right now."],
  ["zh-CN", "暂时无法登录。"],
])("while there is no token to be had, %s, it says so and tries again", async (locale, text) => {
  const { page, site, expire } = await chatting("trouble", { ...phone, locale });
  site.down = true;
  await expire();
  await page.locator(".connection").getByText(text).waitFor();
  await look(page, `no-token-${locale}`);
  site.down = false;
  await page.locator(".connection p").waitFor({ state: "detached" });
});

test.each([
  ["en-GB", "You are no longer logged in.", "Log in"],
  ["zh-CN", "你的登录已失效。", "登录"],
])("logged out elsewhere, %s: what was read stays, and one can log in again", async (locale, text, logIn) => {
  const { page, site, expire } = await chatting("logged-out", { ...phone, locale });
  site.user = undefined;
  await expire();
  await page.locator(".connection").getByText(text).waitFor();
  await page.locator("#composer").fill("half a sentence");
  await look(page, `logged-out-${locale}`);
  await page.getByRole("link", { name: logIn }).click();
  await page.getByRole("heading", { name: "Who?" }).waitFor();
  site.user = "ada";
  await page.goto(server.url);
  await page.locator(".message", { hasText: "hello" }).waitFor();
  expect(await page.locator("#composer").inputValue()).toBe("half a sentence");
});

test("logged in as somebody else: nothing is sent in their name", async () => {
  const { page, site, expire } = await chatting("other");
  await page.locator("#composer").fill("signed, ada");
  site.user = "bob";
  await expire();
  await page.getByText("You are logged in as somebody else now.").waitFor();
  await page.getByRole("button", { name: "Continue as that user" }).click();
  await page.locator(".self", { hasText: "bob" }).waitFor();
  await page.locator(".message:not(.own)", { hasText: "hello" }).waitFor();
  expect(await page.locator("#composer").inputValue()).toBe("");
});

test("where the server does not accept the login, nobody is asked for a token", async () => {
  const { page, site, expire } = await chatting("bad");
  site.key = "another secret of thirty-two bytes";
  await expire();
  await page.getByText("The server does not accept your login.").waitFor();
  site.key = secret;
  await page.getByRole("button", { name: "Connect again" }).click();
  await page.locator(".connection p").waitFor({ state: "detached" });
});
