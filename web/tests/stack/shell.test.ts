import { readdirSync, readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { serveBelow } from "../support/below.ts";
import { enter, openWindow, say } from "../support/browser.ts";
import { browser, fresh } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** What the browser keeps of the page itself, for when its server is away. */

const dist = new URL("../../dist/", import.meta.url);
let site: Awaited<ReturnType<typeof serveBelow>>;

beforeEach(async () => {
  site = await serveBelow(["/chat/", "/other/"], inject("server"));
});

afterEach(() => site.stop());

/** Signs in below a path, and waits until the page is kept. */
async function open(channel: string) {
  const window = await openWindow(browser);
  await enter(window.page, `${site.url}/chat/`, "ada", channel);
  await window.page.evaluate(() => navigator.serviceWorker.ready);
  return window;
}

/** The names of the browser's caches. To open one is to make it, where it was just removed. */
const caches = (page: Page) => page.evaluate(() => window.caches.keys());

/** The addresses in all caches of the browser. */
function cached(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const all = [];
    for (const name of await window.caches.keys()) all.push(...(await (await window.caches.open(name)).keys()));
    return all.map(({ url }) => url);
  });
}

test("a reload while the server is away shows the page, with what waits to be sent", async () => {
  const channel = fresh("shell");
  const { page } = await open(channel);
  site.leave();
  await page.getByText("Connection lost.").waitFor();
  await say(page, "Written in a tunnel, **with** marks.");
  await page.locator(".message.pending").waitFor();
  await page.reload();
  await page.getByRole("heading", { name: channel }).waitFor();
  await page.locator(".message.pending strong", { hasText: "with" }).waitFor();
  // The policy is kept with the page, and its one policy of types is taken.
  const refused = await page.evaluate(async () => {
    await new Promise((resolve) => setTimeout(resolve)); // not in the debugger's own call
    const attempts = [
      () => window.eval("1"),
      () => (document.createElement("p").innerHTML = "<b>x</b>"),
      () => (window as any).trustedTypes.createPolicy("shell", {}),
    ];
    return attempts.map((attempt) => {
      try {
        attempt();
        return false;
      } catch {
        return true;
      }
    });
  });
  expect(refused).toEqual([true, true, true]);
  site.away = false;
  await page.locator(".message.own:not(.pending)", { hasText: "Written in a tunnel" }).waitFor();
});

test("only the page's own address is answered without the server", async () => {
  const { page, problems } = await open(fresh("shell"));
  expect(problems).toEqual([]);
  site.leave();
  for (const path of ["/", "/other/", "/chat/auth/login", "/chat/sdk/parley.js"]) {
    // In a tab of its own: the browser's page about the failure may come later than that.
    const tab = await page.context().newPage();
    await expect(tab.goto(site.url + path), path).rejects.toThrow("net::ERR");
  }
  await page.goto(`${site.url}/chat/index.html#/elsewhere`);
  await page.getByRole("heading", { name: "elsewhere" }).waitFor();
});

test("a new version of the page replaces the old one", async () => {
  const { page, problems } = await open(fresh("shell"));
  const [before] = await caches(page);
  const [entry] = /index-[\w-]+(?=\.js)/.exec(readFileSync(new URL("index.html", dist), "utf8"))!;
  const next = "index-ofTheNextVersion";
  site.nameOf = (path) => path.replace(next, entry);
  site.change = (path, text) => {
    if (path === "/") text = text.replace("<head>", '<head><meta name="version" content="next">');
    if (path === "/sw.js") text = text.replace(/(version:|"version":)"\w+"/, '$1"next"');
    return text.replaceAll(entry, next);
  };
  await page.reload();
  // At once, and what was kept of the old one goes.
  expect(await page.locator('meta[name="version"]').count()).toBe(1);
  await until("the old one to be gone", async () => {
    const names = await caches(page);
    return names.length === 1 && names[0] !== before;
  });
  await page.locator("#composer").waitFor();
  expect(problems).toEqual([]);
  site.leave();
  await page.reload();
  expect(await page.locator('meta[name="version"]').count()).toBe(1);
  await page.locator("#composer").waitFor();
});

test("what is kept is files of the page, and nothing of who uses it", async () => {
  const channel = fresh("shell");
  const { page } = await open(channel);
  await say(page, "for these eyes only");
  await page.locator(".message.own:not(.pending)").waitFor();
  await page.locator("#composer").fill("a draft of mine");
  await page.reload();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("alertdialog").or(page.getByRole("dialog")).getByRole("button", { name: "Sign out" }).last().click();
  await page.getByLabel("Your name").waitFor();

  const files = readdirSync(dist, { recursive: true }).map((file) => `${site.url}/chat/${file}`);
  const kept = await cached(page);
  expect(kept.length).toBeGreaterThan(5);
  expect(kept.filter((url) => url !== `${site.url}/chat/` && !files.includes(url))).toEqual([]);
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  for (const text of ["for these eyes only", "a draft of mine", channel]) expect(stored).not.toContain(text);
});
