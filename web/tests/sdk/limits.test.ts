import type { Client } from "@parley-chat/sdk";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeEach, expect, test } from "vitest";
import { make, server } from "../support/clients.ts";
import { until } from "../support/wait.ts";

let client: Client;

beforeEach(() => {
  client = make();
});

test("503 is a cut: it comes back", async () => {
  const full = createServer((_, response) => response.writeHead(503, { "Retry-After": "1" }).end());
  await new Promise<void>((resolve) => full.listen(0, "127.0.0.1", resolve));
  const url = `ws://127.0.0.1:${(full.address() as AddressInfo).port}/ws`;
  client = make({ url });
  client.connect().catch(() => {});
  await until("the wait", () => client.state.status === "waiting");
  full.close();
});

/** Refuses a method above a rate, as a connector does. */
function limit(method: string, perSecond: number, burst: number): () => number {
  let tokens = burst;
  let last = performance.now();
  let refused = 0;
  server.intercept = (call) => {
    if (call.method !== method) return false;
    const now = performance.now();
    tokens = Math.min(burst, tokens + ((now - last) / 1000) * perSecond);
    last = now;
    if (tokens < 1) {
      refused++;
      call.error(1005, { retry: Math.ceil(((1 - tokens) / perSecond) * 1000) + 1 });
      return true;
    }
    tokens--;
    return false;
  };
  return () => refused;
}

test("what is written faster than allowed arrives in order, without a flood of repeats", async () => {
  server.chats = 50;
  const refused = limit("chat", 50, 5);
  const channel = await client.join("lobby");
  const texts = Array.from({ length: 40 }, (_, i) => `message ${i}`);
  await Promise.all(texts.map((text) => channel.send(text)));
  expect(server.log.map((chat) => chat.body)).toEqual(texts);
  expect(refused()).toBeLessThan(80); // all at once, again and again, are hundreds
});

test("channels that are refused together do not come back together", async () => {
  const refused = limit("join", 40, 5);
  await client.connect();
  const names = Array.from({ length: 30 }, (_, i) => `room${i}`);
  await Promise.all(names.map((name) => client.join(name)));
  expect(refused()).toBeLessThan(150);
});
