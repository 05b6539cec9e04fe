import { ErrorCode, ParleyError, UnauthorizedError, type Channel } from "@parley-chat/sdk";
import { expect, test } from "vitest";
import { make, server } from "../support/clients.ts";
import { outcome, until } from "../support/wait.ts";

/** Waits that end early, and errors that say what came before them. */

/** A channel whose server answers nothing more, and what can be asked of it. */
async function silent(): Promise<Channel> {
  server.say("bob", "before");
  const channel = await make().join("lobby", { limit: 0 });
  server.intercept = () => true;
  return channel;
}

const asks: [string, (channel: Channel, wait: { timeout?: number; signal?: AbortSignal }) => Promise<unknown>][] = [
  ["history", (channel, wait) => channel.history({ before: 5, ...wait })],
  ["read", (channel, wait) => channel.read(5, wait)],
  ["pins", (channel, wait) => channel.pins(wait)],
  ["reactions", (channel, wait) => channel.reactions(5, wait)],
  ["sanctions", (channel, wait) => channel.sanctions(wait)],
  ["loadOlder", (channel, wait) => channel.loadOlder(10, wait)],
];

test.each(asks)("%s ends when it is aborted, or late, and tells the server neither", async (_, ask) => {
  const channel = await silent();
  const before = server.calls.length;
  const stop = new AbortController();
  const asked = ask(channel, { signal: stop.signal });
  await until("the request", () => server.calls.length > before);
  const reason = new Error("enough");
  stop.abort(reason);
  expect(await outcome(asked)).toBe(reason);
  const late = await outcome(ask(channel, { timeout: 5 }));
  expect(late).toMatchObject({ code: ErrorCode.Timeout, name: "ParleyError" });
  expect((late as Error).message).toMatch(/within 5 ms$/);
  for (const { params } of server.calls) {
    expect(params).not.toHaveProperty("timeout");
    expect(params).not.toHaveProperty("signal");
  }
});

test("one who stops waiting for older messages does not stop the others", async () => {
  server.say("bob", "before");
  const channel = await make().join("lobby", { limit: 0 });
  const stop = new AbortController();
  const given = channel.loadOlder(10, { signal: stop.signal });
  const other = channel.loadOlder();
  stop.abort();
  expect(await outcome(given)).toMatchObject({ name: "AbortError" });
  expect(await other).toBe(1);
});

test("a refresh that takes too long is given up", async () => {
  let calls = 0;
  const client = make({ getToken: () => (++calls === 1 ? "one" : new Promise<string>(() => {})) });
  await client.connect();
  expect(await outcome(client.refresh({ timeout: 5 }))).toMatchObject({ code: ErrorCode.Timeout });
});

test("the error of a wait has what prevented it, back to the socket's own error", async () => {
  const client = make();
  await server.stop();
  void client.connect();
  await until("a failure", () => client.state.status === "waiting");
  const error = (await outcome(client.connect({ timeout: 5 }))) as ParleyError;
  expect(error.reason).toMatch(/ECONNREFUSED/);
  expect(error.cause).toMatchObject({ name: "ParleyError", code: 1006, cause: { code: "ECONNREFUSED" } });
});

test("what getToken threw is the cause", async () => {
  const out = new UnauthorizedError("the session has ended");
  const closed = make({ getToken: () => Promise.reject(out) });
  const error = (await outcome(closed.connect())) as ParleyError;
  expect(error).toMatchObject({ code: ErrorCode.LoggedOut, message: "the session has ended" });
  expect(error.cause).toBe(out);

  const down = new Error("502");
  const waiting = make({ getToken: () => Promise.reject(down) });
  void waiting.connect();
  await until("a failure", () => waiting.state.status === "waiting");
  const late = (await outcome(waiting.connect({ timeout: 5 }))) as ParleyError;
  expect((late.cause as ParleyError).cause).toBe(down);
  expect(late.message).toMatch(/no token: Error: 502/);
});

test("what the server says of a refusal is the reason", async () => {
  const channel = await make().join("lobby");
  server.intercept = (call) => {
    if (call.method === "chat") call.error(-32602, { field: "body", reason: "must not be empty" });
    return call.method === "chat";
  };
  const error = (await outcome(channel.send(""))) as ParleyError;
  expect(error.reason).toBe("must not be empty");
  expect(error).not.toHaveProperty("cause");
});
