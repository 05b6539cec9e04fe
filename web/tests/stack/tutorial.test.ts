import { spawn, execFile, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { blocks, text } from "../support/markdown.ts";
import { freePort, repository } from "../support/server.ts";
import { until } from "../support/wait.ts";

/** docs/tutorial.md as somebody follows it: its commands and its files, in their order. */

const run = promisify(execFile);
const web = fileURLToPath(new URL("../../", import.meta.url));
const started: { child: ChildProcess; exited: Promise<unknown> }[] = [];
let clone: string;
let browser: Browser;
/** The page with ports that are free here. */
let page: string;
let site: string;

beforeAll(async () => {
  // A clone that was built, as far as the tutorial looks.
  clone = mkdtempSync(join(tmpdir(), "parley-tutorial-"));
  for (const name of ["scripts", "deploy"]) symlinkSync(join(repository, name), join(clone, name));
  cpSync(join(repository, "examples/token-endpoint"), join(clone, "examples/token-endpoint"), { recursive: true });
  mkdirSync(join(clone, "bin"));
  symlinkSync(inject("binary"), join(clone, "bin/parley"));
  page = text("docs/tutorial.md");
  for (const port of ["8080", "8090", "8000"]) page = page.replaceAll(port, String(await freePort()));
  site = /Open (http:\S+)\./.exec(page)![1]!;
  for (const [, file, code] of page.matchAll(/As `([^`]+)`:\n\n```\w+\n([\s\S]*?)^```$/gm)) {
    mkdirSync(dirname(join(clone, file!)), { recursive: true });
    writeFileSync(join(clone, file!), code!);
  }
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  for (const { child } of started) child.kill("SIGTERM");
  await Promise.all(started.map(({ exited }) => exited));
  rmSync(clone, { recursive: true, force: true });
});

/** The line of a block of commands that has a text in it. */
function command(part: string): string {
  const lines = blocks(page).flatMap(({ language, code }) => (language === "sh" ? code.split("\n") : []));
  const found = lines.filter((line) => line.includes(part));
  expect(found, part).toHaveLength(1);
  return found[0]!;
}

/** Starts what stays in its terminal, and returns what it prints. */
function start(line: string, cwd = clone): () => string {
  const child = spawn("bash", ["-c", `exec ${line}`], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (data) => (printed += data));
  started.push({ child, exited: new Promise((resolve) => child.once("exit", resolve)) });
  return () => printed;
}

async function logIn(user: string): Promise<Page> {
  const context = await browser.newContext();
  const window = await context.newPage();
  await window.goto(site);
  await window.waitForURL(/\/auth\/login$/);
  await window.locator("[name=user]").fill(user);
  await window.locator("[name=password]").fill(readFileSync(join(clone, "keys/password"), "utf8").trim());
  await window.locator("[name=password]").press("Enter");
  await window.getByText(/joined, \d here/).waitFor();
  return window;
}

async function say(window: Page, what: string): Promise<void> {
  await window.getByPlaceholder("Say something").fill(what);
  await window.getByPlaceholder("Say something").press("Enter");
}

const python = await run("python3", ["--version"]).then(
  () => true,
  () => false,
);

test.skipIf(!python && !process.env.CI)("the tutorial works as it is written", async () => {
  await run("bash", ["-c", command("keys.sh")], { cwd: clone });
  const server = start(command("bin/parley up"));
  await until(`the server: ${server()}`, () => server().includes("http://"));
  await run("bash", ["-c", command("go -C")], { cwd: clone });
  const endpoint = start(command("bin/token-endpoint"));
  await until("the endpoint", () => endpoint().includes("listens"));
  start(command("python3 -m http.server"));
  await until("the page", () => fetch(site).then((answer) => answer.ok, () => false));

  const ada = await logIn("ada");
  const bob = await logIn("bob");
  await ada.getByText("joined, 2 here").waitFor();
  await say(ada, "hello bob");
  await bob.getByText("ada: hello bob").waitFor();

  // What `npm install` puts there; nothing is fetched here.
  const bot = join(clone, "bot");
  const packages = join(bot, "node_modules");
  mkdirSync(join(packages, "@parley-chat"), { recursive: true });
  expect(command("npm install")).toContain("ws");
  symlinkSync(join(web, "sdk"), join(packages, "@parley-chat/sdk"));
  symlinkSync(join(web, "node_modules/ws"), join(packages, "ws"));
  const printed = start(command("node bot.mjs"), bot);
  await until("the bot", () => printed().includes("the bot is in the lobby"));
  await say(bob, "!help");
  await ada.getByText("helper: bob: ask anything").waitFor();
  await say(bob, "thanks");
  await ada.getByText("bob: thanks").waitFor();
  expect(existsSync(join(clone, "data/tutorial"))).toBe(true);
}, 300_000);
