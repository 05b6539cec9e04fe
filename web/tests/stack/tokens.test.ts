import { Client } from "@parley-chat/sdk";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import WebSocket from "ws";
import { launchBrowser, openWindow, say } from "../support/browser.ts";
import { Server } from "../support/server.ts";
import { secret, tokenOf as token } from "../support/site.ts";
import { until } from "../support/wait.ts";

/** Against a server that authenticates. */

let folder: string;
let server: Server;
let browser: Browser;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-key-"));
  writeFileSync(join(folder, "key"), secret);
  server = await Server.start(inject("binary"), undefined, ["--auth-secret", join(folder, "key")]);
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("one is who the token says, whatever name one gave", async () => {
  const { page } = await openWindow(browser);
  await page.goto(server.url);
  await page.getByLabel("Your name").fill("somebody");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByText("This server asks for a token").waitFor();
  await page.getByLabel("Token").fill("not a token");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByText("does not accept this token").waitFor();
  await page.getByLabel("Token").fill(token("grace", 600));
  await page.getByRole("button", { name: "Enter" }).click();
  await page.locator(".self", { hasText: "grace" }).waitFor();
  await page.locator("#members", { hasText: "grace (you)" }).waitFor();

  const other = new Client({ url: server.url, token: token("grace", 600), WebSocket });
  await (await other.join("lobby")).send("from my other device");
  await page.locator(".message.own", { hasText: "from my other device" }).waitFor();
  await say(page, "from here");
  await page.locator(".message.own:not(.pending)", { hasText: "from here" }).waitFor();
  await expect.poll(() => page.locator(".message").count()).toBe(2);
  await expect.poll(() => page.locator(".message.head").count()).toBe(1);
  expect(await page.getByRole("log").textContent()).toBe("");
  await page.reload();
  await page.locator(".message.own", { hasText: "from here" }).waitFor();
  other.close();
});

test("a token is enough, and is asked for again when it has run out", async () => {
  const { page } = await openWindow(browser);
  await page.goto(server.url);
  await page.getByLabel("Token").fill(token("linus", 8));
  await page.getByRole("button", { name: "Enter" }).click();
  await page.locator(".self", { hasText: "linus" }).waitFor();
  await page.getByText("does not accept this token").waitFor();
  await page.getByLabel("Token").fill(token("linus", 600));
  await page.getByRole("button", { name: "Enter" }).click();
  await page.locator("#members", { hasText: "linus (you)" }).waitFor();
});

test("the SDK fetches a fresh token for every connection", async () => {
  let fetched = 0;
  const fresh = () => {
    fetched++;
    return Promise.resolve(token("ada", fetched === 1 ? 2 : 600));
  };
  const client = new Client({ url: server.url, token: fresh, WebSocket });
  const lobby = await client.join("fresh");
  await until("the first token to run out", () => fetched === 2);
  await lobby.send("still me");
  await client.refresh();
  expect(fetched).toBe(3);
  expect(client.session!.user).toBe("ada");
  client.close();
});
