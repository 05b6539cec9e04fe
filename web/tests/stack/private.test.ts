import type { Page, WebSocketRoute } from "playwright-core";
import { expect, inject, test } from "vitest";
import { between, refuse } from "../support/between.ts";
import { enter, leave, openWindow, say, screenshot, shown } from "../support/browser.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** What is written to one person is never shown to another, and nothing written is lost in silence. */

async function open(name: string, options = {}) {
  const window = await openWindow(browser, options);
  await enter(window.page, inject("server"), "ada", name);
  return window;
}

const composer = (page: Page) => page.locator("#composer");
const recipient = (page: Page) => page.locator(".composer .recipient");
const choose = (page: Page, user: string) =>
  page.locator("#members").getByRole("button", { name: user });

/** Bob and Cyd are there, and hear what they may. */
async function others(name: string) {
  const [bob, cyd] = await Promise.all(["bob", "cyd"].map((user) => somebody(user).join(name)));
  return { bob: bob!, cyd: cyd! };
}

interface Key {
  key: string;
  altKey?: boolean;
  isComposing?: boolean;
  keyCode?: number;
}

/** Presses a key as an input method lets the page see it. */
const press = (page: Page, init: Key) =>
  composer(page).evaluate((field, init) => {
    field.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init }));
  }, init);

test("a draft to one person is still to that person after a reload", async () => {
  const name = fresh("reload");
  const { bob, cyd } = await others(name);
  const { page } = await open(name);
  await choose(page, "bob").click();
  await page.reload(); // before anything is written
  await recipient(page).getByText("Only you and bob see this").waitFor();
  await composer(page).fill("between us");
  await page.reload();
  await recipient(page).getByText("Only you and bob see this").waitFor();
  expect(await composer(page).inputValue()).toBe("between us");
  await composer(page).press("Enter");
  await until("bob to have it", () => bob.messages.length === 1);
  expect(bob.messages[0]).toMatchObject({ body: "between us", to: "bob" });
  expect(cyd.messages).toEqual([]);
});

test("Escape never makes a private draft public", async () => {
  const name = fresh("escape");
  const { bob, cyd } = await others(name);
  const { page } = await open(name);
  await choose(page, "bob").click();
  // An input method shows what it has so far, and takes it back with Escape.
  for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
    await press(page, { key: "Escape", ...init });
    expect(await recipient(page).isVisible()).toBe(true);
  }
  await composer(page).fill("half of it");
  await composer(page).press("Escape");
  await recipient(page).getByText("Only you and bob see this").waitFor();
  await composer(page).press("Enter");
  await until("bob to have it", () => bob.messages.length === 1);
  expect(cyd.messages).toEqual([]);
  await composer(page).press("Escape"); // nothing is written now, and it is private all the same
  await say(page, "and more");
  await until("bob to have more", () => bob.messages.length === 2);
  expect(bob.messages[1]).toMatchObject({ body: "and more", to: "bob" });
});

test("the Enter that ends a composition does not send, in no browser", async () => {
  const name = fresh("compose");
  const { page } = await open(name);
  await composer(page).fill("ni hao");
  await press(page, { key: "Enter", isComposing: true });
  await press(page, { key: "Enter", keyCode: 229 }); // Safari
  await press(page, { key: "ArrowUp", altKey: true, keyCode: 229 });
  await composer(page).fill("你好");
  await composer(page).press("Enter");
  await page.locator(".message.own:not(.pending)").waitFor();
  expect(await shown(page)).toEqual(["你好"]);
});

test.each([["in a tab that keeps things", true], ["in one that keeps nothing", false]])(
  "turned away and back: a private draft is what it was, %s",
  async (_, keeps) => {
    const name = fresh("back");
    const { bob, cyd } = await others(name);
    const { page } = await openWindow(browser);
    if (!keeps) {
      await page.addInitScript(() => {
        const get = () => {
          throw new DOMException("blocked", "SecurityError");
        };
        for (const storage of ["sessionStorage", "localStorage"]) {
          Object.defineProperty(window, storage, { get });
        }
      });
    }
    let socket: WebSocketRoute;
    await between(page, (frame, route) => ((socket = route), frame));
    await enter(page, inject("server"), "ada", name);
    await choose(page, "bob").click();
    await composer(page).fill("between us");
    await socket!.close({ code: 3503 });
    await page.getByRole("button", { name: "Connect again" }).click();
    await page.getByText("3 here").waitFor();
    await recipient(page).getByText("Only you and bob see this").waitFor();
    expect(await composer(page).inputValue()).toBe("between us");
    await composer(page).press("Enter");
    await until("bob to have it", () => bob.messages.length === 1);
    expect(cyd.messages).toEqual([]);
  },
);

test("with somebody else's token one gets nothing of what the first user wrote", async () => {
  const name = fresh("token");
  const { bob } = await others(name);
  const { page } = await openWindow(browser);
  const valid = new Set(["ada"]);
  let silent = false;
  let socket: WebSocketRoute;
  await between(page, (frame, route) => {
    socket = route;
    if (frame.method === "chat" && silent) return undefined;
    if (frame.method !== "hello") return frame;
    const { token } = frame.params;
    if (!valid.has(token)) return refuse(route, frame, 1001, "unauthenticated");
    return { ...frame, params: { user: token } }; // a token is its user's name
  });
  const signIn = async (token: string) => {
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Enter" }).click();
    await page.locator(".members .name", { hasText: token }).waitFor();
  };
  await page.goto(`${inject("server")}/#/${name}`);
  await signIn("ada");
  silent = true;
  await choose(page, "bob").click();
  await say(page, "ada's secret");
  await composer(page).fill("ada's draft");
  await page.locator(".message.pending").waitFor();
  await page.reload(); // the token is the tab's, and so is what waits
  await page.locator(".message.pending", { hasText: "ada's secret" }).waitFor();
  expect(await composer(page).inputValue()).toBe("ada's draft");

  valid.clear();
  await socket!.close({ code: 3005 });
  await page.getByText("does not accept this token").waitFor();
  silent = false;
  valid.add("eve").add("ada");
  await signIn("eve");
  await bob.send("hello, eve");
  await page.locator(".message", { hasText: "hello, eve" }).waitFor();
  expect(await shown(page)).toEqual(["hello, eve"]);
  expect(await composer(page).inputValue()).toBe("");
  expect(bob.messages.map(({ body }) => body)).toEqual(["hello, eve"]);

  valid.delete("eve");
  await socket!.close({ code: 3005 });
  await page.getByText("does not accept this token").waitFor();
  await signIn("ada");
  await page.locator(".talks").getByRole("link", { name: "bob draft" }).click();
  await page.locator(".message.failed", { hasText: "ada's secret" }).waitFor();
  await recipient(page).getByText("Only you and bob see this").waitFor();
  expect(await composer(page).inputValue()).toBe("ada's draft");
});

test("nothing of one user is left on the page for the next", async () => {
  const name = fresh("next");
  const { bob } = await others(name);
  const { page } = await open(name);
  await bob.send("psst, ada", { to: "ada" });
  await page.getByRole("log").getByText("psst, ada").waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Your name").fill("eve");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByText("3 here").waitFor();
  expect(await page.locator("body").textContent()).not.toContain("psst");
});

test("names like account.channel do not share what the tab keeps", async () => {
  const [first, second] = [fresh("b.c"), ""];
  const name = `x.${first}`;
  const { page } = await openWindow(browser);
  await enter(page, inject("server"), "ada.x", first);
  await composer(page).fill("of ada.x");
  await page.getByRole("button", { name: "Settings" }).click();
  // The tab is taken over without signing out.
  await page.evaluate(() => {
    for (const storage of [sessionStorage, localStorage]) {
      for (const key of Object.keys(storage)) if (key.endsWith("session")) storage.removeItem(key);
    }
  });
  await page.goto(inject("server") + second);
  await page.reload();
  await enter(page, inject("server"), "ada", name);
  expect(await composer(page).inputValue()).toBe("");
});

test("signing out asks before what was written is lost", async () => {
  const { page } = await openWindow(browser);
  await between(page, (frame) => (frame.method === "chat" ? undefined : frame));
  await enter(page, inject("server"), "ada", fresh("ask"));
  await say(page, "no answer");
  await composer(page).fill("a draft");
  await page.getByRole("button", { name: "Settings" }).click();
  const dialog = page.getByRole("dialog");
  for (const answer of ["Escape", "Cancel"]) {
    await page.getByRole("button", { name: "Sign out" }).click();
    await dialog.getByText("Sign out? What you have not sent yet will be lost.").waitFor();
    await dialog.getByText("1 unsent message").waitFor();
    await dialog.getByText("1 draft").waitFor();
    await screenshot(page, "ask");
    if (answer === "Escape") await page.keyboard.press("Escape");
    else await dialog.getByRole("button", { name: "Cancel" }).click();
  }
  await dialog.getByRole("button", { name: "Close" }).click();
  expect(await composer(page).inputValue()).toBe("a draft");
});

/** Ada is in two channels, and has a draft in one, where a message of hers has no answer while the server is silent. */
async function aboutToLeave() {
  const [one, two] = [fresh("left"), fresh("left")];
  const { bob } = await others(one);
  const { page } = await openWindow(browser);
  const server = { silent: true };
  await between(page, (frame) => (frame.method === "chat" && server.silent ? undefined : frame));
  await enter(page, inject("server"), "ada", one);
  await page.getByLabel("Open a channel").fill(two);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: two }).waitFor();
  await page.getByRole("link", { name: one }).click();
  await page.getByRole("heading", { name: one }).waitFor();
  await say(page, "no answer");
  await composer(page).fill("a draft");
  return { page, bob, one, two, server };
}

test("leaving can be taken back, with all that was written", async () => {
  const { page, bob, one, two, server } = await aboutToLeave();
  await choose(page, "bob").click();
  await composer(page).fill("for bob");
  await page.locator("#channels").getByRole("link", { name: `${one} draft` }).click();
  await leave(page);
  await page.getByText(`You left ${one}.`).waitFor();
  await page.getByRole("heading", { name: two }).waitFor();
  expect(await page.locator("#channels .list li").count()).toBe(1);

  server.silent = false;
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("heading", { name: one }).waitFor();
  await until("the message", () => bob.messages.length === 1);
  expect(bob.messages[0]).toMatchObject({ body: "no answer" });
  expect(await composer(page).inputValue()).toBe("a draft");
  expect(await page.locator("#channels .list .name").allTextContents()).toEqual([one, two, "bob"]);
  await page.reload();
  await page.getByRole("link", { name: "bob draft" }).click();
  await recipient(page).waitFor();
  expect(await composer(page).inputValue()).toBe("for bob");
});

test("whoever comes back by a link to a channel that they left has all that they wrote there", async () => {
  const { page, bob, one, two, server } = await aboutToLeave();
  await leave(page);
  await page.getByText(`You left ${one}.`).waitFor();
  server.silent = false;
  await page.getByLabel("Open a channel").fill(one);
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: one }).waitFor();
  expect(await composer(page).inputValue()).toBe("a draft");
  await until("the message", () => bob.messages.length === 1);
  await page.getByText(`You left ${one}.`).waitFor({ state: "detached" });
  expect(await page.locator("#channels .list .name").allTextContents()).toEqual([one, two]);
});

test("why a message was refused is known after a reload", async () => {
  const { page } = await openWindow(browser);
  await between(page, (frame, socket) =>
    frame.method === "chat" ? refuse(socket, frame, 1002, "forbidden") : frame,
  );
  await enter(page, inject("server"), "ada", fresh("why"));
  await say(page, "refused");
  await page.getByText("Not sent: not allowed").waitFor();
  await page.reload();
  await page.getByText("Not sent: not allowed").waitFor();
});

test("a text stays where it is while nothing can be sent", async () => {
  const { page } = await openWindow(browser);
  let forbidden = false;
  let socket: WebSocketRoute;
  await between(page, (frame, route) => {
    socket = route;
    return frame.method === "join" && forbidden ? refuse(route, frame, 1002, "forbidden") : frame;
  });
  await enter(page, inject("server"), "ada", fresh("stay"));
  await composer(page).fill("not lost");
  forbidden = true;
  await socket!.close({ code: 3001 });
  await page.locator(".access").getByText("You do not have access").waitFor();
  await composer(page).press("Enter");
  expect(await composer(page).inputValue()).toBe("not lost");
});

test("sending scrolls to the end, where one's message is", async () => {
  const name = fresh("scroll");
  const { bob } = await others(name);
  await Promise.all(Array.from({ length: 60 }, (_, i) => bob.send(`message ${i}`)));
  const { page } = await open(name);
  await page.locator(".message", { hasText: "message 59" }).waitFor();
  await page.locator(".scroller").hover();
  await page.mouse.wheel(0, -1500);
  await page.locator(".jump").waitFor();
  await say(page, "here I am");
  await page.locator(".message.own:not(.pending)", { hasText: "here I am" }).waitFor();
  await until("the end", () => page.locator(".jump").isHidden());
});

test("a message of thousands of lines does not push the others out of sight", async () => {
  const name = fresh("tall");
  const { bob } = await others(name);
  await bob.send("before");
  await bob.send(`top${"\n".repeat(3_900)}bottom`);
  await bob.send("after");
  const { page } = await open(name);
  await page.locator(".message", { hasText: "after" }).waitFor();
  const height = () =>
    page.locator(".message", { hasText: "top" }).evaluate((message) => message.clientHeight);
  expect(await height()).toBeLessThan(760);
  await page.getByRole("button", { name: "Show all" }).click();
  await until("all of it", async () => (await height()) > 50_000);
  await page.getByRole("button", { name: "Show less" }).focus();
  await page.keyboard.press("Enter");
  await until("the cut", async () => (await height()) < 760);
});

test("the focus goes back to the field when the connection's button is not needed any more", async () => {
  const { page } = await openWindow(browser);
  let socket: WebSocketRoute;
  await between(page, (frame, route) => ((socket = route), frame));
  await enter(page, inject("server"), "ada", fresh("bar"));
  await socket!.close({ code: 3503 });
  await page.getByRole("button", { name: "Connect again" }).press("Enter");
  await page.getByTitle("Online").waitFor();
  await expect.poll(() => page.evaluate(() => document.activeElement!.id)).toBe("composer");
});
