import { Client, ErrorCode, UnauthorizedError, type ClientOptions } from "@parley-chat/sdk";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import WebSocket from "ws";
import { openWindow, say } from "../support/browser.ts";
import { Server } from "../support/server.ts";
import { channelTokenOf, secret, Site, tokenOf } from "../support/site.ts";
import { browser, clients, fresh } from "../support/stage.ts";
import { outcome, until } from "../support/wait.ts";

/** What an operator and an issuer of tokens decide, on a real server. */

let folder: string;
let server: Server;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-key-"));
  writeFileSync(join(folder, "key"), secret);
  server = await Server.start(inject("binary"), undefined, ["--auth-secret", join(folder, "key")]);
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What an operator types. */
const parley = (...args: string[]) =>
  promisify(execFile)(inject("binary"), [...args, "--data", server.data]);

function client(options: Partial<ClientOptions>): Client {
  const made = new Client({ url: server.url, WebSocket, ...options });
  clients.push(made);
  return made;
}

test("a channel token lets in, is extended before it runs out, and its end puts out", async () => {
  const name = fresh("pass");
  let issued = 0;
  const guest = client({
    getToken: () => tokenOf("guest", 600, []),
    getChannelToken: (channel) => {
      if (++issued > 2) throw new UnauthorizedError("the visit is over");
      return channelTokenOf("guest", channel, 10);
    },
  });
  const channel = await guest.join(name);
  const told: string[] = [];
  channel.on("state", (state) => told.push(state));
  channel.on("removed", ({ reason }) => told.push(`removed: ${reason}`));
  await until("another token", () => issued === 2);
  await channel.send("while I may");
  await until("the end", () => channel.state === "failed");
  expect(told).toEqual(["joining", "removed: forbidden", "failed"]);
  expect(channel.error).toMatchObject({ code: ErrorCode.Forbidden });
  expect(channel.messages.map(({ body }) => body)).toEqual(["while I may"]);
  expect(guest.state.status).toBe("online");
});

test("a narrower token puts out at once, a wider one lets back in", async () => {
  const name = fresh("narrow");
  let grants = [{ channels: [name], allow: ["join", "history"] }];
  const reader = client({ getToken: () => tokenOf("reader", 600, grants) });
  const channel = await reader.join(name);
  expect(await outcome(channel.send("hello"))).toMatchObject({ data: { action: "chat", channel: name } });
  expect([...channel.forbidden]).toEqual(["chat"]);
  grants = [];
  await reader.refresh();
  await until("the end", () => channel.state === "failed");
  expect(channel.error).toMatchObject({ data: { action: "join", reason: "forbidden" } });
  grants = [{ channels: [name], allow: ["*"] }];
  await reader.refresh();
  await channel.join();
  await channel.send("hello");
});

test("revoked: a fresh token is fetched, and one is back", async () => {
  let issued = 0;
  const eve = client({ getToken: () => (issued++, tokenOf("eve", 600)) });
  const channel = await eve.join(fresh("revoked"));
  await parley("revoke", "eve");
  await until("a fresh token", () => issued === 2);
  await until("the return", () => channel.state === "joined");
  await channel.send("still me");
  expect(issued).toBe(2);
});

test("barred while chatting, then at the door, until it is lifted", async () => {
  const { page } = await openWindow(browser);
  const site = await new Site().on(page);
  site.user = "mallory";
  await page.goto(`${server.url}/#/${fresh("bar")}`);
  await say(page, "hello");
  await page.locator(".message.own:not(.pending)").waitFor();
  await parley("bar", "mallory", "--for", "1h", "--reason", "spam");
  await page.getByText("disconnected by an administrator").waitFor();
  await page.getByRole("button", { name: "Connect again" }).click();
  await page.getByText(/You are barred from this chat until .* Reason: spam/).waitFor();
  await parley("bar", "mallory", "--lift");
  await until("the lifting to be known", async () => {
    // It goes away with the click that helps.
    const again = page.getByRole("button", { name: "Connect again" });
    if ((await again.count()) > 0) await again.click({ timeout: 1_000 }).catch(() => undefined);
    await page
      .locator('.connection:is([data-status="online"], [data-status="closed"])')
      .waitFor({ state: "attached" });
    return (await page.locator(".connection p").count()) === 0;
  });
  await page.locator(".message.own", { hasText: "hello" }).waitFor();
});
