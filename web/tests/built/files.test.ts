import { Client, ErrorCode } from "@parley-chat/sdk";
import * as sdk from "@parley-chat/sdk";
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import WebSocket from "ws";
import { FakeServer } from "../support/fake-server.ts";
import { until } from "../support/wait.ts";

/** The files that a connector serves below /sdk/. */

const file = (name: string) => readFileSync(new URL(`../../dist/sdk/${name}`, import.meta.url));

test.each([
  ["parley.js", 12_288],
  ["parley.min.js", 12_288],
  ["parley-core.js", 7_168],
])("%s is small", (name, limit) => {
  const size = gzipSync(file(name), { level: 9 }).length;
  console.log(`figure: ${name}, gzipped: ${size} bytes (limit ${limit})`);
  expect(size).toBeLessThanOrEqual(limit);
});

test("the script defines all that the module exports, and chats", async () => {
  const { crypto, performance, URL, AbortController, TextEncoder } = globalThis;
  const timers = { setTimeout, clearTimeout, queueMicrotask };
  const page = createContext({ ...timers, crypto, performance, URL, AbortController, TextEncoder, WebSocket });
  runInContext(String(file("parley.min.js")), page);
  const Parley = runInContext("Parley", page) as typeof sdk;
  expect(Object.keys(Parley).sort()).toEqual(Object.keys(sdk).sort());
  expect(Parley.ErrorCode).toEqual(ErrorCode);
  expect(Parley.Client).not.toBe(Client);
  const server = await FakeServer.start();
  const client = new Parley.Client({ url: server.url, user: "ada" });
  try {
    const lobby = await client.join("lobby");
    await lobby.send("hello");
    await until("the message", () => lobby.messages.length === 1);
  } finally {
    client.close();
    await server.stop();
  }
});

test("the map leads from the file to its sources", () => {
  for (const name of ["parley.js", "parley.min.js", "parley-core.js"]) {
    expect(String(file(name)).trimEnd()).toMatch(new RegExp(`//# sourceMappingURL=${name}\\.map$`));
    const map = JSON.parse(String(file(`${name}.map`)));
    expect(map.sources.filter((source: string) => source.endsWith("src/connection.ts"))).toHaveLength(1);
    expect(map.sourcesContent.join("")).toContain("class Connection {");
  }
});
