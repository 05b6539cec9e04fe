import { Client } from "@parley-chat/sdk";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import WebSocket from "ws";
import { serveBelow } from "../support/below.ts";
import { between } from "../support/between.ts";
import { enter, leave, openWindow, say, shown } from "../support/browser.ts";
import { repository } from "../support/server.ts";
import { browser, clients, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** Addresses that the page is not usually at, and memories that it did not write. */

test("below a path everything is there, and nothing of another path", async () => {
  const proxy = await serveBelow(["/chat/", "/other/"], inject("server"));
  const url = `${proxy.url}/chat/`;
  const name = fresh("below");
  const { page, problems } = await openWindow(browser);
  const strays: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) strays.push(request.url());
  });
  await enter(page, url, "ada", name);
  expect(await page.locator("link[rel=icon]").evaluate((link: HTMLLinkElement) => link.href)).toBe(
    `${url}icon.svg`,
  );
  await say(page, "from below");
  await page.locator(".message.own:not(.pending)").waitFor();
  await page.locator("#composer").fill("a draft");
  await page.reload();
  await page.locator(".message", { hasText: "from below" }).waitFor();
  expect(new URL(page.url()).pathname).toBe("/chat/");
  expect(strays).toEqual([]);

  // The SDK, as a page of another origin gets it, and in Node.
  const client = new Client({ url, user: "bob", WebSocket });
  clients.push(client);
  const room = await client.join(name);
  expect(room.messages.map(({ body }) => body)).toEqual(["from below"]);
  const sdk = await page.evaluate(async () => {
    const response = await fetch("sdk/parley.js");
    return response.ok && response.headers.get("content-type");
  });
  expect(sdk).toContain("javascript");
  expect(problems).toEqual([]);

  // Another server of the same host gets neither the session nor the draft.
  await enter(page, `${proxy.url}/other/`, "ada", name);
  expect(await page.locator("#composer").inputValue()).toBe("");
  await page.goto(url);
  await page.locator(".message", { hasText: "from below" }).waitFor();
  expect(await page.locator("#composer").inputValue()).toBe("a draft");
  await proxy.stop();
});

/** The program that the README has one try in the browser's console. */
const sample = /```js\n(const ws = [^]*?)```/.exec(readFileSync(join(repository, "README.md"), "utf8"))![1]!;

test.each(["127.0.0.1", "localhost"])("the README's first sample works at %s", async (host) => {
  const { page, problems } = await openWindow(browser);
  const lines: string[] = [];
  page.on("console", (message) => lines.push(message.text()));
  await page.goto(`${inject("server").replace("127.0.0.1", host)}/#/lobby`);
  await page.getByLabel("Your name").waitFor();
  await page.evaluate(sample);
  await until("its own message", () => lines.some((line) => /"method":"chat".*"body":"hi"/.test(line)));
  expect(problems).toEqual([]);
});

const rubbish = ["", "{", "null", "42", '"text"', "[1]", '{"user":"ada"}', '{"to":1,"texts":[["",2]]}'];

test("what another version left in the browser's memory does no harm", async () => {
  const name = fresh("older");
  const { page, problems } = await openWindow(browser);
  await page.goto(inject("server"));
  for (const text of [...rubbish, '{"user":"ada","channels":"x"}', '{"user":1,"channels":[]}']) {
    await page.evaluate((text) => {
      sessionStorage.setItem("parley/session", text);
      for (const key of ["user", "theme", "notify"]) localStorage.setItem(`parley.${key}`, text);
      localStorage.setItem("parley.language", '"constructor"');
    }, text);
    await page.reload();
    await page.getByLabel("Your name").waitFor();
  }
  for (const text of [
    ...rubbish,
    '[{"id":1}]',
    '[{"id":"a","body":"b","time":"noon","status":"pending"}]',
    '[{"id":"a","body":"b","time":1,"status":"pending","to":null}]',
    '[{"id":"a","body":"b","time":1,"status":"pending","attempted":7}]',
  ]) {
    await page.evaluate(
      ([name, text]) => {
        const session = JSON.stringify({ user: "ada", channels: [name] });
        sessionStorage.setItem("parley/session", session);
        for (const what of ["draft", "outbox"]) {
          sessionStorage.setItem(`parley/${JSON.stringify([what, "ada", name])}`, text!);
        }
      },
      [name, text],
    );
    await page.reload();
    await page.getByText("1 here").waitFor();
    expect(await page.locator("#composer").inputValue()).toBe("");
    expect(await shown(page)).toEqual([]);
  }
  expect(problems).toEqual([]);
});

test("half of a character in a channel's name is refused, and the page goes on", async () => {
  const { page, problems } = await openWindow(browser);
  await enter(page, inject("server"), "ada", fresh("half"));
  await page.getByLabel("Open a channel").evaluate((field: HTMLInputElement) => {
    field.value = "\ud83d";
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByText("The channel cannot be joined: the name is not valid").waitFor();
  expect(problems).toEqual([]);
});

test("a name that turns text around turns nothing but itself", async () => {
  const evil = "\u202Egro.live\u2066";
  const shown = "<U+202E>gro.live<U+2066>";
  const name = fresh("around");
  const bob = await somebody("bob").join(name);
  const { page } = await openWindow(browser);
  await between(
    page,
    (frame) => frame,
    (frame) => {
      // Such names may be in old logs.
      if (frame.params?.user === "bob") frame.params.user = evil;
      if (frame.params?.to) frame.params.user = evil;
      return frame;
    },
  );
  await enter(page, inject("server"), "ada", name);
  await bob.send("look");
  await page.locator(".author", { hasText: "gro.live" }).click();
  const apart = (selector: string) => page.locator(`${selector} bdi`).first().textContent();
  expect(await apart(".composer .recipient")).toBe(shown);
  expect(await apart(".members .name")).toBe("ada");
  expect(await page.locator("#composer").getAttribute("placeholder")).toBe(
    "Private message to gro.live",
  );
  await expect.poll(() => page.locator(".top bdi").textContent()).toBe(shown);
  await page.evaluate(() => (location.hash = "#/%E2%80%AEabc"));
  await until("the title", async () => (await page.title()) === "abc – Parley");
});

test("Back does not join a channel again that was left", async () => {
  const [one, two, three] = [fresh("back"), fresh("back"), fresh("back")];
  const { page } = await openWindow(browser);
  const follow = (name: string) => page.evaluate((name) => (location.hash = `#/${name}`), name);
  const heading = (page: Page, name: string) => page.getByRole("heading", { name }).waitFor();
  await enter(page, inject("server"), "ada", one);
  await page.getByLabel("Open a channel").fill(two);
  await page.getByLabel("Open a channel").press("Enter");
  await heading(page, two);
  await leave(page);
  await heading(page, one);
  await page.goBack();
  await until("the address of what is shown", () => page.url().endsWith(one));
  await expect.poll(() => page.locator(".channels .list li").count()).toBe(1);
  await heading(page, one);

  // Links lead to new channels, and to those that were left; Back to those that are open.
  await follow(three);
  await heading(page, three);
  await follow(two);
  await heading(page, two);
  await page.goBack();
  await heading(page, three);
  await expect.poll(() => page.locator(".channels .list li").count()).toBe(3);
});
