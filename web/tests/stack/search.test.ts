import { Client, ErrorCode } from "@parley-chat/sdk";
import { afterEach, expect, inject, test } from "vitest";
import WebSocket from "ws";
import { until } from "../support/wait.ts";

const clients: Client[] = [];

function connect(user: string): Client {
  const client = new Client({ url: inject("server"), user, WebSocket });
  clients.push(client);
  return client;
}

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

test("messages are found by their words, as they are now, with where the words are", async () => {
  const name = `search-${process.pid}`;
  const word = `needle${process.pid}`;
  const ada = connect("ada");
  const channel = await ada.join(name);
  const { seq } = await channel.send(`😀 a ${word} in hay`);
  const wrong = await channel.send(`no ${word} here`);
  await channel.edit(wrong.seq!, "hay alone");
  const find = async () => (await ada.search({ query: word.toUpperCase() })).messages;
  await until("the needle", async () => (await find()).length === 1);
  const [found] = await find();
  expect(found).toMatchObject({ channel: name, seq, user: "ada", epoch: expect.any(String) });
  expect(found!.highlight.map(([from, to]) => found!.body.slice(from, to))).toEqual([word]);

  await until("the edit", async () => {
    return (await ada.search({ query: "hay", channel: name })).messages.length === 2;
  });
  const first = await ada.search({ query: "hay", channel: name, limit: 1 });
  expect(first).toMatchObject({ more: true, messages: [{ body: "hay alone" }] });
  const last = await ada.search({ query: "hay", channel: name, before: first.before });
  expect(last).toMatchObject({ more: false, messages: [{ seq }] });
  await expect(ada.search({ query: "?!" })).rejects.toMatchObject({ code: -32602 });
  const two = [ada.search({ query: "hay" }), ada.search({ query: "hay" })];
  await expect(Promise.all(two)).rejects.toMatchObject({ code: ErrorCode.RateLimited });
});

test("a search may be given up, and needs a connection", async () => {
  const bob = connect("bob");
  await expect(bob.search({ query: "hay" })).rejects.toMatchObject({ code: ErrorCode.Disconnected });
  await bob.join(`searching-${process.pid}`);
  const signal = AbortSignal.abort(new Error("never mind"));
  await expect(bob.search({ query: "hay", signal })).rejects.toThrow("never mind");
});
