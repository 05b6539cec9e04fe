import { Client, ErrorCode, type Channel } from "@parley-chat/sdk";
import { afterEach, expect, inject, test } from "vitest";
import WebSocket from "ws";
import { Proxy } from "../support/proxy.ts";
import { freePort, Server } from "../support/server.ts";
import { until } from "../support/wait.ts";

const clients: Client[] = [];
let number = 0;

/** A channel that no other test uses. */
const fresh = (name: string) => `${name}-${process.pid}-${++number}`;

function connect(user: string, url = inject("server")): Client {
  const client = new Client({ url, user, WebSocket });
  clients.push(client);
  return client;
}

function record(channel: Channel): string[] {
  const seen: string[] = [];
  channel.on("message", (message) => seen.push(message.body));
  return seen;
}

const bodies = (channel: Channel) => channel.messages.map((message) => message.body);
const numbers = (n: number) => Array.from({ length: n }, (_, i) => `${i}`);

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

test("two users chat, a third one reads it later", async () => {
  const name = fresh("chat");
  const ada = await connect("ada").join(name);
  const bob = await connect("bob").join(name);
  const seen = record(ada);
  await until("bob is seen", () => ada.members.includes("bob"));
  const { seq } = await bob.send("hello, ada");
  await ada.send("hello, bob");
  await until("both messages", () => seen.length === 2 && bodies(bob).length === 2);
  expect(seen).toEqual(["hello, ada", "hello, bob"]);
  expect(ada.messages[0]).toMatchObject({ user: "bob", seq, body: "hello, ada" });

  const cyd = await connect("cyd").join(name);
  expect(bodies(cyd)).toEqual(seen);
  expect(cyd.members).toEqual(["ada", "bob", "cyd"]);
  await bob.leave();
  await until("bob has left", () => !cyd.members.includes("bob"));
  expect(cyd.count).toBe(2);
});

test("a private message reaches its two users, live and in history, and nobody else", async () => {
  const name = fresh("private");
  const [ada, bob, cyd] = await Promise.all(["ada", "bob", "cyd"].map((u) => connect(u).join(name)));
  await ada!.send("for bob alone", { to: "bob" });
  await ada!.send("for all");
  await until("the public one", () => [ada, bob, cyd].every((c) => bodies(c!).includes("for all")));
  expect(bodies(ada!)).toEqual(["for bob alone", "for all"]);
  expect(bodies(bob!)).toEqual(["for bob alone", "for all"]);
  expect(bodies(cyd!)).toEqual(["for all"]);
  const later = await connect("cyd").join(name);
  expect(bodies(later)).toEqual(["for all"]);
});

test("a network cut again and again loses, repeats and reorders nothing", async () => {
  const proxy = await Proxy.start(inject("server"));
  const name = fresh("cut");
  const ada = await connect("ada", proxy.url).join(name);
  const bob = await connect("bob").join(name);
  const seen = record(ada);
  const sending: Promise<unknown>[] = [];
  for (let i = 0; i < 300; i++) {
    sending.push(bob.send(`b${i}`), ada.send(`a${i}`));
    if (i % 60 === 30) proxy.cut();
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await Promise.all(sending);
  await until("all of them", () => seen.length >= 600 && bodies(bob).length >= 600);
  expect(seen).toEqual(bodies(bob));
  expect(new Set(seen).size).toBe(600);
  expect(seen.filter((body) => body.startsWith("b"))).toEqual(numbers(300).map((n) => `b${n}`));
  expect(ada.outbox).toHaveLength(0);
  await proxy.stop();
});

test("after more than the server recovers, the gap is filled by paging", async () => {
  const proxy = await Proxy.start(inject("server"));
  const name = fresh("long");
  const client = connect("ada", proxy.url);
  const ada = await client.join(name);
  const bob = await connect("bob").join(name);
  const seen = record(ada);
  await bob.send("before");
  await until("live", () => seen.length === 1);
  proxy.block();
  const many = client.session!.limits.recover + 250;
  await Promise.all(numbers(many).map((n) => bob.send(n)));
  proxy.unblock();
  client.wake();
  await until("all of them", () => seen.length === many + 1);
  expect(seen).toEqual(["before", ...numbers(many)]);
  expect(ada.gaps).toHaveLength(0);
  await proxy.stop();
});

test("history pages back to the beginning", async () => {
  const name = fresh("history");
  const bob = await connect("bob").join(name);
  await Promise.all(numbers(120).map((n) => bob.send(n)));
  const ada = await connect("ada").join(name, { limit: 20 });
  expect(bodies(ada)).toEqual(numbers(120).slice(-20));
  while (ada.hasOlder) await ada.loadOlder(50);
  expect(bodies(ada)).toEqual(numbers(120));
});

test("a user in two places is one member and gets everything in both", async () => {
  const name = fresh("twice");
  const [one, two] = [connect("ada"), connect("ada")];
  const [here, there] = [await one.join(name), await two.join(name)];
  expect(there.members).toEqual(["ada"]);
  await here.send("from here");
  await until("both see it", () => bodies(here).length === 1 && bodies(there).length === 1);
  const bob = await connect("bob").join(name);
  two.close();
  await bob.send("still there?");
  await until("the push", () => bodies(here).length === 2);
  expect(here.members).toEqual(["ada", "bob"]);
});

test("the server's refusals come as errors with their code", async () => {
  const client = connect("ada");
  const channel = await client.join(fresh("errors"));
  const limit = client.session!.limits.body;
  await expect(channel.send("x".repeat(limit + 1))).rejects.toMatchObject({
    code: ErrorCode.TooLarge,
    data: { limit },
  });
  expect(channel.outbox).toMatchObject([{ status: "failed" }]);
  await expect(client.channel("").join()).rejects.toMatchObject({ code: ErrorCode.InvalidParams });
  await expect(connect("\u0001").connect()).rejects.toMatchObject({ code: ErrorCode.InvalidParams });
});

test("kill -9 of the server and a restart: nothing acknowledged is lost", async () => {
  const first = await Server.start(inject("binary"), `127.0.0.1:${await freePort()}`);
  const name = fresh("kill");
  const ada = await connect("ada", first.url).join(name);
  const bob = await connect("bob", first.url).join(name);
  const seen = record(ada);
  const acknowledged: string[] = [];
  const send = (body: string) => bob.send(body).then(() => acknowledged.push(body));
  await Promise.all(numbers(50).map(send));
  const during = numbers(20).map((n) => send(`k${n}`));
  await first.kill();
  const second = await first.restart();
  await Promise.all(during);
  await until("all of them", () => seen.length === 70);
  expect(new Set(seen).size).toBe(70);
  expect([...seen].sort()).toEqual([...acknowledged].sort());
  const cyd = await connect("cyd", second.url).join(name, { limit: 300 });
  expect(bodies(cyd)).toEqual(seen);
  await second.stop();
});
