import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, leave, openWindow, say, screenshot, shown } from "../support/browser.ts";
import { tabTo } from "../support/keys.ts";
import { Proxy } from "../support/proxy.ts";
import { atRest } from "../support/scrolling.ts";
import { freePort, Server } from "../support/server.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

async function open(user: string, channel: string, options = {}) {
  const window = await openWindow(browser, options);
  await enter(window.page, inject("server"), user, channel);
  return window;
}

const until_shown = (page: Page, text: string) =>
  page.locator(".message .body", { hasText: text }).first().waitFor();

test("two people chat in two windows, and see who is here", async () => {
  const name = fresh("lobby");
  const ada = await open("ada", name);
  const bob = await open("bob", name);
  await ada.page.locator("#members").getByText("bob").waitFor();
  await say(ada.page, "Hello, Bob!");
  await until_shown(bob.page, "Hello, Bob!");
  await bob.page.locator("#composer").pressSequentially("Hi!");
  await bob.page.locator("#composer").press("Shift+Enter");
  await bob.page.locator("#composer").pressSequentially("Second line 👋");
  await bob.page.locator("#composer").press("Enter");
  await until_shown(ada.page, "Hi!");
  const want = ["Hello, Bob!", "Hi!\nSecond line 👋"];
  expect(await shown(ada.page)).toEqual(want);
  expect(await shown(bob.page)).toEqual(want);
  await expect.poll(() => ada.page.locator(".message.own").count()).toBe(1);
  await expect.poll(() => ada.page.locator("#members").innerText()).toContain("2 here");

  await leave(bob.page);
  await ada.page.locator("#members").getByText("1 here").waitFor();
  expect([...ada.problems, ...bob.problems]).toEqual([]);
});

test("a private message is visibly private, and seen by its two users only", async () => {
  const name = fresh("private");
  const [ada, bob, cyd] = await Promise.all(["ada", "bob", "cyd"].map((u) => open(u, name)));
  await ada!.page.locator("#members").getByRole("button", { name: "bob" }).click();
  await say(ada!.page, "just between us");
  await ada!.page.locator("#channels").getByRole("link", { name }).click();
  await say(ada!.page, "for everybody");
  for (const window of [ada, bob, cyd]) await until_shown(window!.page, "for everybody");
  for (const window of [ada, bob, cyd]) expect(await shown(window!.page)).toEqual(["for everybody"]);
  for (const [window, other] of [[ada, "bob"], [bob, "ada"]] as const) {
    await window!.page.locator(".talks").getByRole("link", { name: other }).click();
    await window!.page.locator(".message.private", { hasText: "just between us" }).waitFor();
    expect(await shown(window!.page)).toEqual(["just between us"]);
  }
  expect(await cyd!.page.locator(".talks").count()).toBe(0);
  await screenshot(ada!.page, "private");
});

test("what is written is text, never markup", async () => {
  const name = fresh("xss");
  const evil = [
    "<script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    "<svg/onload=document.title='pwned'>",
    "javascript:document.title='pwned'",
    "https://a.example/\"onmouseover=\"document.title='pwned'",
    "{{constructor.constructor('document.title=1')()}}",
    "&lt;b&gt; \u202Eesrever \u0000 end",
  ];
  const mallory = await somebody("<b>mallory</b>").join(name, { maxPending: 5000 });
  const { page, problems } = await open("ada", name);
  for (const body of evil) await mallory.send(body);
  await until_shown(page, "constructor");
  await page.locator(".message").nth(evil.length - 1).waitFor();
  expect(await shown(page)).toEqual(evil.map((body) => body.replace("\u0000", "\u0000")));
  expect(await page.locator(".message script, .message img, .body svg, #members b").count()).toBe(0);
  expect(await page.locator(".author").first().textContent()).toBe("<b>mallory</b>");
  expect(await page.title()).not.toContain("pwned");
  expect(problems).toEqual([]);
});

test("the policy stops what is not the page's own", async () => {
  const { page } = await open("ada", fresh("csp"));
  const outcome = await page.evaluate(async () => {
    // Not in the debugger's own call, in which eval is allowed.
    await new Promise((resolve) => setTimeout(resolve));
    const refused: string[] = [];
    const attempt = (name: string, action: () => void) => {
      try {
        action();
      } catch {
        refused.push(name);
      }
    };
    attempt("eval", () => void window.eval("1"));
    attempt("innerHTML", () => void (document.createElement("p").innerHTML = "<b>x</b>"));
    attempt("policy", () => void (window as any).trustedTypes.createPolicy("mine", {}));
    return refused;
  });
  expect(outcome).toEqual(["eval", "innerHTML", "policy"]);
});

test("several channels side by side: unread counts, title, links, drafts", async () => {
  const [one, two] = [fresh("one"), fresh("two")];
  const bob = await somebody("bob").join(two, { maxPending: 5000 });
  const { page, problems } = await open("ada", one);
  await page.getByLabel("Open a channel").fill(two);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: two }).waitFor();
  expect(new URL(page.url()).hash).toBe(`#/${two}`);
  await page.getByText("2 here").waitFor(); // what comes before the join is not news
  await page.locator("#composer").fill("half a thought");
  await page.getByRole("link", { name: one }).click();
  await page.getByRole("heading", { name: one }).waitFor();
  expect(await page.locator("#composer").inputValue()).toBe("");

  await bob.send("are you there?");
  await bob.send("hello?");
  await page.locator(".badge", { hasText: "2" }).waitFor();
  await until("the title", async () => (await page.title()).startsWith("(2) "));

  await page.goBack();
  await page.getByRole("heading", { name: two }).waitFor();
  await page.locator(".rule.new").waitFor();
  expect(await page.locator("#composer").inputValue()).toBe("half a thought");
  await until("the title without a count", async () => !(await page.title()).startsWith("("));
  await screenshot(page, "channels");

  await page.reload();
  await until_shown(page, "hello?");
  expect(await page.locator("#composer").inputValue()).toBe("half a thought");
  await expect.poll(() => page.locator(".channels .list li").count()).toBe(2);
  await leave(page);
  await page.getByRole("heading", { name: one }).waitFor();
  expect(problems).toEqual([]);
});

test("a link to a channel leads there", async () => {
  const name = `房间/${fresh("deep")}`;
  const { page } = await openWindow(browser);
  await page.goto(`${inject("server")}/#/${encodeURIComponent(name)}`);
  await page.getByLabel("Your name").fill("ada");
  expect(await page.getByLabel("Channel", { exact: true }).inputValue()).toBe(name);
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByRole("heading", { name }).waitFor();
});

test("the list stays at its end while what one writes grows, and not while one reads above", async () => {
  const name = fresh("end");
  const bob = await somebody("bob").join(name, { maxPending: 5000 });
  await Promise.all(Array.from({ length: 60 }, (_, i) => bob.send(`message ${i}`)));
  const { page } = await open("ada", name);
  await until_shown(page, "message 59");
  const fromEnd = () =>
    page.evaluate(() => {
      const scroller = document.querySelector(".scroller")!;
      return Math.round(scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight);
    });
  await until("the end", async () => (await fromEnd()) <= 1);
  await page.locator("#composer").fill("1\n2\n3\n4\n5\n6");
  await until("the end, above a larger field", async () => (await fromEnd()) <= 1);
  await bob.send("one more");
  await until_shown(page, "one more");
  await until("the end, with one more", async () => (await fromEnd()) <= 1);

  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, -600);
  await page.getByRole("button", { name: "Jump to the newest" }).waitFor();
  await atRest(page);
  const before = await page.locator(".message", { hasText: "message 40" }).boundingBox();
  await bob.send("not now");
  await page.getByRole("button", { name: "1 new" }).waitFor();
  expect(await page.locator(".message", { hasText: "message 40" }).boundingBox()).toEqual(before);
  await page.getByRole("button", { name: "1 new" }).click();
  await until_shown(page, "not now");
  await page.locator(".rule.new").waitFor();
  await until("the end again", async () => (await fromEnd()) <= 1);
});

test("two tabs under one name are one member, and both work", async () => {
  const name = fresh("tabs");
  const first = await open("ada", name);
  const second = await first.page.context().newPage();
  await enter(second, inject("server"), "ada", name);
  await say(first.page, "from the first");
  await until_shown(second, "from the first");
  await say(second, "from the second");
  await until_shown(first.page, "from the second");
  await expect.poll(() => first.page.locator("#members").innerText()).toContain("1 here");
  await expect.poll(() => second.locator(".message.own").count()).toBe(2);
});

test("the keyboard alone is enough", async () => {
  const { page } = await openWindow(browser);
  const [one, two] = [fresh("keys"), fresh("keys")];
  await page.goto(inject("server"));
  await page.locator("#user:focus").waitFor();
  await page.keyboard.type("ada");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.type(one);
  await page.keyboard.press("Enter");
  await page.locator("#composer:focus").waitFor();
  await page.keyboard.type("typed");
  await page.keyboard.press("Enter");
  await until_shown(page, "typed");
  await tabTo(page, "#open-channel", "Shift+Tab");
  await page.keyboard.type(two);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: two }).waitFor();
  await page.keyboard.press("Alt+ArrowUp");
  await page.getByRole("heading", { name: one }).waitFor();

  await page.locator(".message .more").first().focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("Details").click();
  await page.getByRole("dialog").getByText("Position").waitFor();
  await page.keyboard.press("Escape");
  await until("focus to be back", () => page.evaluate(() => document.activeElement!.matches(".more")));
});

test("a message's position can be looked at", async () => {
  const name = fresh("details");
  const bob = await somebody("bob").join(name, { maxPending: 5000 });
  const { seq } = await bob.send("look at me");
  const { page } = await open("ada", name);
  await until_shown(page, "look at me");
  await page.getByRole("button", { name: "Options for the message by bob" }).click({ force: true });
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Details").click();
  const { epoch } = bob.messages[0]!;
  for (const fact of [epoch, `${seq}`, `${bob.partition}`]) {
    await dialog.getByText(fact, { exact: true }).first().waitFor();
  }
  await screenshot(page, "details");
});

test("Chinese, and the language is remembered", async () => {
  const name = fresh("中文");
  const { page } = await openWindow(browser, { locale: "zh-CN" });
  await page.goto(inject("server"));
  await page.getByLabel("你的名字").fill("小明");
  await page.getByLabel("频道", { exact: true }).fill(name);
  await page.getByRole("button", { name: "进入" }).click();
  await page.locator("#members").getByText("1 人在线").waitFor();
  expect(await page.locator("html").getAttribute("lang")).toBe("zh");
  await say(page, "大家好！看看 https://example.org/，不错。");
  await until_shown(page, "大家好");
  expect(await page.locator(".body a").textContent()).toBe("https://example.org/");
  await screenshot(page, "chinese");
  await page.getByRole("button", { name: "设置" }).click();
  await page.getByLabel("语言").selectOption("en");
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await page.reload();
  await page.getByRole("navigation", { name: "Channels" }).waitFor();
});

test("the server is killed and comes back: nothing is lost, and the page says so", async () => {
  const server = await Server.start(inject("binary"), `127.0.0.1:${await freePort()}`);
  const { page } = await openWindow(browser);
  await enter(page, server.url, "ada", "lobby");
  const bob = somebody("bob", server.url);
  const lobby = await bob.join("lobby");
  await lobby.send("before");
  await until_shown(page, "before");

  await page.getByTitle("Online").waitFor();
  await server.kill();
  await page.getByText(/Connection lost|Connecting/).waitFor();
  await page.getByTitle("Not connected").waitFor();
  await say(page, "written while away");
  await page.locator(".message.pending").waitFor();
  await screenshot(page, "away");
  const meanwhile = lobby.send("sent as soon as it is back");
  const again = await server.restart();
  bob.wake();
  await meanwhile;
  await until_shown(page, "sent as soon as it is back");
  await until("the pending one to be sent", async () => {
    return (await page.locator(".message.pending").count()) === 0;
  });
  const said = await shown(page);
  expect([...said].sort()).toEqual(["before", "sent as soon as it is back", "written while away"]);
  await until("bob has it too", () => lobby.messages.length === 3);
  expect(lobby.messages.map((message) => message.body)).toEqual(said);
  await again.stop();
});

test("away for a while: a divider says what came meanwhile, nothing is lost by a reload", async () => {
  const proxy = await Proxy.start(inject("server"));
  const name = fresh("away");
  const bob = await somebody("bob").join(name, { maxPending: 5000 });
  const { page } = await openWindow(browser);
  let dead = false;
  await page.routeWebSocket("**/ws", (socket) => {
    if (dead) void socket.close({ code: 1011 });
    else socket.connectToServer();
  });
  await enter(page, proxy.url, "ada", name);
  await bob.send("before");
  await until_shown(page, "before");
  proxy.block();
  await page.getByText(/Reconnecting in \d+ s/).waitFor();
  for (const n of [1, 2, 3]) await bob.send(`meanwhile ${n}`);
  await say(page, "written while away");
  await page.locator(".message.pending").waitFor();
  proxy.unblock();
  await page.getByText("3 messages while you were away").waitFor();
  await page.locator(".message.own:not(.pending)").waitFor();
  const said = ["before", "meanwhile 1", "meanwhile 2", "meanwhile 3", "written while away"];
  expect(await shown(page)).toEqual(said);
  await screenshot(page, "since-away");

  dead = true;
  proxy.cut();
  await page.getByText(/Reconnecting in \d+ s/).waitFor();
  await say(page, "written before the reload");
  await page.locator(".message.pending").waitFor();
  await page.reload();
  dead = false;
  await page.locator(".message.own:not(.pending)", { hasText: "before the reload" }).waitFor();
  await until("bob has it", () => bob.messages.length === said.length + 1);
  expect(bob.messages.map(({ body }) => body)).toEqual([...said, "written before the reload"]);
  await proxy.stop();
});

test("away for long: a gap is shown as one, and is filled when asked for", async () => {
  const proxy = await Proxy.start(inject("server"));
  const name = fresh("long");
  const bob = await somebody("bob").join(name, { maxPending: 5000 });
  const { page } = await openWindow(browser);
  await enter(page, proxy.url, "ada", name);
  await bob.send("before");
  await until_shown(page, "before");
  proxy.block();
  await Promise.all(Array.from({ length: 2500 }, (_, i) => bob.send(`meanwhile ${i}`)));
  proxy.unblock();
  await until_shown(page, "meanwhile 2499");
  const gap = page.getByRole("button", { name: "Load them" });
  await scrollUpTo(page, "the gap", async () => (await gap.count()) > 0);
  await until("all of it", async () => {
    // It may be gone, or redrawn, between the look and the click.
    if ((await gap.count()) > 0) await gap.click({ timeout: 1000 }).catch(() => undefined);
    return (await gap.count()) === 0;
  }, 120_000);
  await page.getByRole("button", { name: "Jump to the newest" }).click();
  await until_shown(page, "meanwhile 2499");
  await scrollUpTo(page, "what was in the gap", async () => {
    return (await shown(page)).includes("meanwhile 2000");
  });
  await scrollUpTo(page, "the divider", async () => {
    return (await page.getByText("You were away for a long time").count()) > 0;
  });
  await proxy.stop();
}, 300_000);

function scrollUpTo(page: Page, what: string, found: () => Promise<boolean>): Promise<void> {
  return until(
    what,
    async () => {
      await page.evaluate(() => (document.querySelector(".scroller")!.scrollTop -= 500));
      return found();
    },
    120_000,
  );
}
