import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { promisify } from "node:util";
import { afterAll, beforeAll, inject, test } from "vitest";
import { openWindow, say } from "../support/browser.ts";
import { repository, Server } from "../support/server.ts";
import { browser } from "../support/stage.ts";

/** The page with the logins of examples/token-endpoint, over HTTPS, as docs/security.md has it. */

const run = promisify(execFile);
let folder: string;
let password: string;
let server: Server;
let site: ChildProcess;
let url: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-logins-"));
  await run(join(repository, "scripts/keys.sh"), [folder]);
  password = readFileSync(join(folder, "password"), "utf8").trim();
  const program = join(folder, "token-endpoint");
  const example = join(repository, "examples/token-endpoint");
  await run("go", ["build", "-o", program, "."], { cwd: example });
  server = await Server.start(inject("binary"), undefined, [
    ...["--auth-key", join(folder, "token.pub"), "--auth-audience", "parley"],
    ...["--proxies", "127.0.0.1/32"],
  ]);
  site = spawn(
    program,
    [
      ...["-key", join(folder, "token.key"), "-password-file", join(folder, "password")],
      ...["-chat", server.url, "-listen", "127.0.0.1:0"],
      ...["-tls-cert", join(folder, "tls.crt"), "-tls-key", join(folder, "tls.key")],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  url = await new Promise((resolve, reject) => {
    let log = "";
    site.stderr!.on("data", (data) => {
      log += data;
      const port = /listens at 127\.0\.0\.1:(\d+)/.exec(log)?.[1];
      if (port) resolve(`https://localhost:${port}`);
    });
    site.once("exit", () => reject(new Error(log)));
  });
});

afterAll(async () => {
  if (site && site.exitCode === null) {
    const exited = new Promise((resolve) => site.once("exit", resolve));
    site.kill();
    await exited;
  }
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Logs in as a person does. */
async function logIn(page: Page, user: string): Promise<void> {
  await page.getByRole("link", { name: "Log in" }).click();
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator("#members", { hasText: `${user} (you)` }).waitFor();
}

test("from a link to a message, and out again", async () => {
  const { page } = await openWindow(browser, { ignoreHTTPSErrors: true });
  await page.goto(`${url}/#/room-1`);
  await page.getByText("You need to log in to use this chat.").waitFor();
  await logIn(page, "ada");
  await page.getByRole("heading", { name: "room-1" }).waitFor();
  await say(page, "hello");
  await page.locator(".message.own:not(.pending)", { hasText: "hello" }).waitFor();

  await page.getByLabel("Open a channel").fill("board");
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByText("You do not have access to board.").waitFor();
  // By a channel token: no grant of hers says so.
  await page.getByLabel("Open a channel").fill("team-red");
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: "team-red" }).waitFor();
  await say(page, "among us");
  await page.locator(".message.own:not(.pending)", { hasText: "among us" }).waitFor();
  await page.getByLabel("Open a channel").fill("inbox:ada");
  await page.getByLabel("Open a channel").press("Enter");
  await page.getByRole("heading", { name: "inbox:ada" }).waitFor();
  await say(page, "to myself");
  await page.getByText("You can read here, but not write.").waitFor();

  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  // What was not sent would be lost.
  await page.getByRole("dialog").last().getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out.").waitFor();
  await page.reload();
  await page.getByText("You need to log in to use this chat.").waitFor();
  await logIn(page, "bob");
  await page.getByRole("heading", { name: "lobby" }).waitFor();
});
