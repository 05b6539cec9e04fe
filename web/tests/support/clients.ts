import { Client, type ClientOptions } from "@parley-chat/sdk";
import { afterEach, beforeEach, vi } from "vitest";
import WebSocket from "ws";
import { FakeServer } from "./fake-server.ts";

/** A fake server for each test of the file that imports this. */
export let server: FakeServer;

/** The clients that the test made; they are closed after it. */
export const clients: Client[] = [];

export function make(options: Partial<ClientOptions> = {}): Client {
  const client = new Client({ url: options.url ?? server.url, user: "ada", WebSocket, ...options });
  clients.push(client);
  return client;
}

beforeEach(async () => {
  server = await FakeServer.start();
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const client of clients.splice(0)) client.close();
  await server.stop();
});
