import type { Page, WebSocketRoute } from "playwright-core";
import { expect, inject, test } from "vitest";
import { between, refuse } from "../support/between.ts";
import { enter, openWindow, say, screenshot, shown } from "../support/browser.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** What a healthy server never says: its answers are replaced on their way to the page. */

test("a message that is refused says why, and can be tried again or discarded", async () => {
  const { page } = await openWindow(browser);
  let refusals = 3;
  await between(page, (frame, socket) =>
    frame.method === "chat" && refusals-- > 0 ? refuse(socket, frame, 1002, "forbidden") : frame,
  );
  await enter(page, inject("server"), "ada", fresh("failed"));
  await say(page, "first");
  await say(page, "second");
  await page.getByText("Not sent: not allowed").nth(1).waitFor();
  await screenshot(page, "failed");
  const first = page.locator(".message", { hasText: "first" });
  await first.getByRole("button", { name: "Discard" }).click();
  await first.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".message:not(.failed)", { hasText: "second" }).waitFor();
  expect(await shown(page)).toEqual(["second"]);
});

test("a server that wants a token is given one", async () => {
  const { page } = await openWindow(browser);
  await between(page, (frame, socket) =>
    frame.method === "hello" && frame.params.token !== "secret"
      ? refuse(socket, frame, 1001, "unauthenticated")
      : frame,
  );
  await page.goto(inject("server"));
  await page.getByLabel("Your name").fill("ada");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByText("This server asks for a token").waitFor();
  await page.getByLabel("Token").fill("wrong");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByText("does not accept this token").waitFor();
  await page.getByLabel("Token").fill("secret");
  await page.getByRole("button", { name: "Enter" }).click();
  // The name that was given is still there: this server would take nobody without one.
  await page.locator(".members .name", { hasText: "ada" }).waitFor({ state: "attached" });
});

test("a token that expires is asked for again, and the channels are still open", async () => {
  const { page } = await openWindow(browser);
  let valid = "first";
  const sockets: WebSocketRoute[] = [];
  await between(page, (frame, socket) => {
    sockets.push(socket);
    return frame.method === "hello" && frame.params.token !== valid
      ? refuse(socket, frame, 1001, "unauthenticated")
      : frame;
  });
  const [one, two] = [fresh("token"), fresh("token")];
  await page.goto(inject("server"));
  await page.getByLabel("Your name").fill("ada");
  await page.getByLabel("Channel", { exact: true }).fill(one);
  await page.getByLabel("Token").fill("first");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByLabel("Open a channel").fill(two);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByText("1 here").waitFor();
  valid = "second";
  await sockets.at(-1)!.close({ code: 3005, reason: "token expired" });
  await page.getByText("does not accept this token").waitFor();
  await page.getByLabel("Token").fill("second");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByRole("heading", { name: two }).waitFor();
  await page.getByRole("link", { name: one }).waitFor();
});

test("a name that the server does not accept is reported as one", async () => {
  const { page } = await openWindow(browser);
  await page.goto(inject("server"));
  await page.getByLabel("Your name").fill("ada\u202E");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByText("does not accept this name").waitFor();
});

test("being turned away is final until one asks to come back", async () => {
  const { page } = await openWindow(browser);
  let turnedAway = false;
  await between(page, (frame, socket) => {
    if (frame.method !== "chat" || turnedAway) return frame;
    turnedAway = true;
    void socket.close({ code: 3503, reason: "disconnected by an administrator" });
    return undefined;
  });
  await enter(page, inject("server"), "ada", fresh("away"));
  await say(page, "hello");
  await page.getByText("Disconnected: disconnected by an administrator").waitFor();
  await page.locator(".message.failed").waitFor();
  await page.getByRole("button", { name: "Connect again" }).click();
  await page.getByText("1 here").waitFor();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".message:not(.failed)", { hasText: "hello" }).waitFor();
  expect(await shown(page)).toEqual(["hello"]);
});

test.each([
  [3501, "请求过多"],
  [3504, "以此名称打开的连接过多"],
])("a connection closed for good with %i says why, in the reader's language", async (code, why) => {
  const { page } = await openWindow(browser, { locale: "zh-CN" });
  await page.routeWebSocket("**/ws", (socket) => {
    socket.onMessage(() => void socket.close({ code, reason: "said in English" }));
  });
  await page.goto(inject("server"));
  await page.getByLabel("你的名字").fill("小明");
  await page.getByRole("button", { name: "进入" }).click();
  await page.getByText(`连接已关闭：${why}`).waitFor();
  await page.getByRole("button", { name: "重新连接" }).waitFor();
});

test("history that is out says so, and is asked again", async () => {
  const { page } = await openWindow(browser);
  let out = true;
  await between(page, (frame, socket) =>
    frame.method === "history" && out ? refuse(socket, frame, 1008, "history unavailable") : frame,
  );
  const name = fresh("history");
  await enter(page, inject("server"), "ada", name);
  await page.getByText("Older messages are not available right now.").waitFor();
  out = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText(`This is the beginning of ${name}.`).waitFor();
});

test("a list of pins that was away for a moment is read again", async () => {
  const { page } = await openWindow(browser);
  let out = true;
  await between(
    page,
    (frame, socket) => {
      if (frame.method !== "pins") return frame;
      if (out) return refuse(socket, frame, 1008, "history unavailable");
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: frame.id, result: { messages: [], asof: 1, more: false } }));
      return undefined;
    },
    (frame) => {
      if (frame.result?.settings) frame.result.settings.pins = [1];
      return frame;
    },
  );
  await enter(page, inject("server"), "ada", fresh("pins"));
  await page.locator("button.pins").click();
  await page.getByRole("dialog").getByText("history is not available right now").waitFor();
  out = false;
  await page.getByRole("dialog").getByText("Nothing is pinned here.").waitFor();
});

test("who reacted is read again where that failed for a moment", async () => {
  const { page } = await openWindow(browser);
  let [out, refused] = [true, 0];
  await between(page, (frame, socket) =>
    frame.method === "reactions" && out ? (refused++, refuse(socket, frame, 1007, "log unavailable")) : frame,
  );
  const name = fresh("who");
  const bob = await somebody("bob").join(name);
  const { seq } = await bob.send("released");
  await bob.react(seq!, "🎉");
  await enter(page, inject("server"), "ada", name);
  await page.getByRole("button", { name: "🎉: 1" }).waitFor();
  await page.locator(".message .more").click({ force: true });
  await until("a refusal", () => refused > 0);
  out = false;
  await page.getByRole("dialog").locator(".who li", { hasText: "bob" }).waitFor();
});

test("a trace can be opened where the server says where they are", async () => {
  const { page } = await openWindow(browser);
  const trace = "0af7651916cd43dd8448eb211c80319c";
  await between(
    page,
    (frame) => frame,
    (frame) => {
      if (frame.result?.session) frame.result.traces = "https://traces.example/t/{trace}";
      if (frame.method === "chat") frame.params.trace = trace;
      return frame;
    },
  );
  await enter(page, inject("server"), "ada", fresh("trace"));
  await say(page, "traced");
  await page.getByRole("button", { name: "Options for the message by ada" }).click({ force: true });
  await page.getByRole("dialog").getByText("Details").click();
  const link = page.getByRole("dialog").getByRole("link", { name: trace });
  expect(await link.getAttribute("href")).toBe(`https://traces.example/t/${trace}`);
});

test("a body over the server's limit is not sent, and the excess is counted", async () => {
  const { page } = await openWindow(browser);
  await enter(page, inject("server"), "ada", fresh("limit"));
  await say(page, "中".repeat(1400)); // 4,200 bytes
  await page.getByText("Too long by 104 bytes").waitFor();
  expect(await page.locator(".message").count()).toBe(0);
  await say(page, "中".repeat(1300));
  await page.locator(".message").waitFor();
});

test("half of a character is not sent, and the server's reason is shown", async () => {
  const { page } = await openWindow(browser);
  await enter(page, inject("server"), "ada", fresh("half"));
  await page.locator("#composer").evaluate((field: HTMLTextAreaElement) => {
    field.value = "\ud83d";
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await page.locator("#composer").press("Enter");
  await page.getByText("body must be Unicode text").waitFor();
  await page.locator(".message.failed").waitFor();
});

/** Keeps what the page would have the browser show. */
async function withNotifications(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const told: string[] = ((window as any).told = []);
    (window as any).Notification = class {
      static permission = "granted";
      static requestPermission = async () => "granted";
      constructor(title: string, { body, renotify, icon }: NotificationOptions & { renotify: boolean }) {
        told.push(`${title}: ${body}`, `${renotify}`, new URL(icon!, location.href).pathname);
      }
    };
  });
}

/** Has the page out of sight, as far as it can tell. */
async function hide(page: Page): Promise<void> {
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
}

test("notifications come while the page is out of sight, when asked for", async () => {
  const { page } = await openWindow(browser, { permissions: ["notifications"] });
  await withNotifications(page);
  const name = fresh("notify");
  await enter(page, inject("server"), "ada", name);
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Notify me").check();
  await page.getByRole("button", { name: "Close" }).click();

  const bob = await openWindow(browser);
  await enter(bob.page, inject("server"), "bob", name);
  await say(bob.page, "seen");
  await page.locator(".message", { hasText: "seen" }).waitFor();
  await hide(page);
  await say(bob.page, "unseen");
  await page.locator(".message", { hasText: "unseen" }).waitFor();
  await expect.poll(() => page.evaluate(() => (window as any).told)).toEqual([
    `bob – ${name}: unseen`,
    "true", // or the second one of a channel would be silent
    "/icon.svg",
  ]);
  await expect.poll(() => page.title()).toMatch(/^\(1\) /);
});

test("the first message with marks is told once, without them", async () => {
  const { page, problems } = await openWindow(browser, { permissions: ["notifications"] });
  await withNotifications(page);
  await page.addInitScript(() => localStorage.setItem("parley.notify", "true"));
  // What knows the marks takes a while to come.
  let come = () => {};
  const parser = new Promise<void>((resolve) => (come = resolve));
  await page.route("**/markdown-*.js", async (route) => {
    await parser;
    await route.continue();
  });
  const name = fresh("marks");
  const room = await somebody("bob").join(name);
  await enter(page, inject("server"), "ada", name);
  await hide(page);
  await page.evaluate(() => {
    const read: string[] = ((window as any).read = []);
    const log = document.querySelector("[role='log']")!;
    new MutationObserver(() => read.push(log.textContent!)).observe(log, {
      childList: true,
      subtree: true,
      characterData: true,
    });
  });
  await room.send("**now** or `never`");
  await page.locator(".message", { hasText: "now" }).waitFor();
  come();
  await page.locator(".message strong").waitFor();
  await until("the message to be told", async () => (await page.evaluate(() => (window as any).read.length)) > 0);
  expect(await page.evaluate(() => (window as any).read)).toEqual(["bob: now or never"]);
  await expect.poll(() => page.evaluate(() => (window as any).told[0])).toBe(`bob – ${name}: now or never`);
  expect(problems).toEqual([]);
});
