import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser, openWindow, screenshot } from "../support/browser.ts";
import { repository } from "../support/server.ts";

const docs = join(repository, "bin/docs");

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** TypeDoc's pages try this first, then use the icons that they carry in a script. */
const icons = "sdk/assets/icons.svg";

/** Opens a page from the file system; it needs no network and has no errors. */
async function open(path: string) {
  const { page, problems: all } = await openWindow(browser);
  const problems = () => all.filter((problem) => !problem.includes(icons));
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) all.push(`asks for ${request.url()}`);
  });
  page.on("requestfailed", (request) => all.push(`cannot load ${request.url()}`));
  await page.goto(pathToFileURL(join(docs, path)).href);
  return { page, problems };
}

/** The names under a key of the AsyncAPI document's top level or of `components`. */
function documented(section: string, indent: string): string[] {
  const text = readFileSync(join(repository, "schema/rpc/asyncapi.yaml"), "utf8");
  const block = text.split(`\n${indent}${section}:\n`)[1] ?? "";
  const names: string[] = [];
  for (const line of block.split("\n")) {
    if (!line.startsWith(`${indent}  `)) break;
    const name = new RegExp(`^${indent}  (\\w+):`).exec(line)?.[1];
    if (name) names.push(name);
  }
  return names;
}

test("the protocol's page has every operation, message and schema", async () => {
  const { page, problems } = await open("protocol/index.html");
  const operations = documented("operations", "");
  const messages = documented("messages", "  ");
  const schemas = documented("schemas", "  ");
  expect(operations).toContain("hello");
  expect(messages).toContain("drainPush");
  expect(schemas).toContain("ErrorData");
  await page.locator("#operations").waitFor();
  const missing = async (names: string[], prefix: RegExp) => {
    const ids = await page.locator("[id]").evaluateAll((all) => all.map(({ id }) => id));
    const there = new Set(ids.filter((id) => prefix.test(id)).map((id) => id.replace(prefix, "")));
    return names.filter((name) => !there.has(name));
  };
  expect(await missing(operations, /^operation-(reply|send)-/)).toEqual([]);
  expect(await missing(messages, /^message-/)).toEqual([]);
  expect(await missing(schemas, /^schema-/)).toEqual([]);
  await page.setViewportSize({ width: 1600, height: 1000 });
  const join = page.locator("#operation-reply-join");
  const since = join.getByText("since", { exact: true }).first();
  expect(await since.isVisible()).toBe(false);
  await join.getByText("Expand all").first().click();
  await since.waitFor();
  await screenshot(page, "docs-protocol");
  expect(problems()).toEqual([]);
});

test("the SDK's page leads to everything that the SDK exports", async () => {
  const { page, problems } = await open("sdk/index.html");
  const index = readFileSync(join(repository, "web/sdk/src/index.ts"), "utf8");
  const names = [...index.matchAll(/\{([^}]*)\}/g)]
    .flatMap((match) => match[1]!.split(","))
    .map((name) => name.replace("type ", "").trim())
    .filter((name) => name !== "");
  expect(names).toContain("Client");
  for (const each of names) {
    const link = page.locator(`nav a[href$="/${each}.html"]`).first();
    await link.waitFor({ state: "attached" });
    const target = await link.getAttribute("href");
    expect(existsSync(join(docs, "sdk", target!)), `${each}: ${target}`).toBe(true);
  }
  await page.goto(pathToFileURL(join(docs, "sdk/classes/Client.html")).href);
  await page.getByRole("heading", { name: /Client/, level: 1 }).waitFor();
  await expect.poll(() => page.locator(`use:not([href^="#"])`).count()).toBe(0);
  await screenshot(page, "docs-sdk");
  expect(problems()).toEqual([]);
});

test("no page loads anything from the network", () => {
  const pages = readdirSync(docs, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".html"));
  expect(pages.length).toBeGreaterThan(20);
  for (const each of pages) {
    const html = readFileSync(join(docs, each), "utf8");
    const loads = html.match(/<(?:script|img|iframe|source)[^>]*\ssrc="(?:https?:)?\/\/[^"]*"|<link[^>]*\shref="(?:https?:)?\/\/[^"]*"/g);
    expect(loads, each).toBeNull();
  }
});
