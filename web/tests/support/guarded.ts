import { Client, type Channel } from "@parley-chat/sdk";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, inject } from "vitest";
import WebSocket from "ws";
import { Server } from "./server.ts";
import { everything, secret, tokenOf, type Grant } from "./site.ts";
import { clients } from "./stage.ts";

/** A server that authenticates, for the file: where none does, nobody moderates. */
export let guarded: Server;

/** How it knows who comes. */
export let keys: string[];

/** All that there is to grant. */
export const moderating = [...everything, { channels: ["*"], allow: ["moderate"] }];

/** The page asks whether this site gives out tokens, which the browser reports as refused. */
export const unexpected = (problem: string) => !problem.includes("405 (Method Not Allowed)");

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-key-"));
  writeFileSync(join(folder, "key"), secret);
  keys = ["--auth-secret", join(folder, "key")];
  guarded = await Server.start(inject("binary"), undefined, keys);
});

afterAll(async () => {
  await guarded?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Somebody who is in a channel, and not in a browser. */
export function memberOf(user: string, channel: string, grants: Grant[]): Promise<Channel> {
  const client = new Client({ url: guarded.url, token: tokenOf(user, 600, grants), WebSocket });
  clients.push(client);
  return client.join(channel);
}

/** Enters a channel with a token, in any language. */
export async function enterAs(page: Page, token: string, channel: string, url = guarded.url): Promise<void> {
  await page.goto(url);
  await page.locator("#channel").fill(channel);
  await page.locator("#token").fill(token);
  await page.locator("form button[type=submit]").click();
  await page.locator(".members .name .muted").waitFor({ state: "attached" });
}
