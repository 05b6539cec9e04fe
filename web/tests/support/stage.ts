import { Client } from "@parley-chat/sdk";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, inject } from "vitest";
import WebSocket from "ws";
import { launchBrowser } from "./browser.ts";

/**
 * What tests of the page have in common. Importing it starts the browser for
 * the file, and closes windows and clients after each test.
 */
export let browser: Browser;

/** People who are not in a browser; they leave after the test. */
export const clients: Client[] = [];

let number = 0;

/** A channel that nobody was in. */
export const fresh = (name: string) => `${name}-${process.pid}-${++number}`;

/** Somebody who is not in a browser. */
export function somebody(user: string, url = inject("server")): Client {
  const client = new Client({ url, user, WebSocket });
  clients.push(client);
  return client;
}

beforeAll(async () => {
  browser = await launchBrowser();
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const context of browser.contexts()) await context.close();
});

afterAll(() => browser.close());
