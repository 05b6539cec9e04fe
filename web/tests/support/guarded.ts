import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, inject } from "vitest";
import { Server } from "./server.ts";
import { everything, secret } from "./site.ts";

/** A server that authenticates, for the file: where none does, nobody moderates. */
export let guarded: Server;

/** All that there is to grant. */
export const moderating = [...everything, { channels: ["*"], allow: ["moderate"] }];

/** The page asks whether this site gives out tokens, which the browser reports as refused. */
export const unexpected = (problem: string) => !problem.includes("405 (Method Not Allowed)");

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-key-"));
  writeFileSync(join(folder, "key"), secret);
  guarded = await Server.start(inject("binary"), undefined, ["--auth-secret", join(folder, "key")]);
});

afterAll(async () => {
  await guarded?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Enters a channel with a token, in any language. */
export async function enterAs(page: Page, token: string, channel: string): Promise<void> {
  await page.goto(guarded.url);
  await page.locator("#channel").fill(channel);
  await page.locator("#token").fill(token);
  await page.locator("form button[type=submit]").click();
  await page.locator(".members .name .muted").waitFor({ state: "attached" });
}
