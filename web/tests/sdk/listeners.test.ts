import { expect, test, vi } from "vitest";
import { make, server } from "../support/clients.ts";
import { until } from "../support/wait.ts";

/** What an application hears, and what it shows. */

test("once hears one event, and off ends what on and once began", async () => {
  const channel = await make().join("lobby");
  const [once, never, on] = [vi.fn(), vi.fn(), vi.fn()];
  channel.once("message", once);
  channel.once("message", never);
  channel.off("message", never);
  channel.on("message", on);
  server.say("bob", "one");
  server.say("bob", "two");
  await until("both", () => channel.messages.length === 2);
  expect(once.mock.calls.map(([{ body }]) => body)).toEqual(["one"]);
  expect(never).not.toHaveBeenCalled();
  expect(on).toHaveBeenCalledTimes(2);
  channel.off("message", on);
  channel.off("message", () => {});
  server.say("bob", "three");
  await until("the third", () => channel.messages.length === 3);
  expect(on).toHaveBeenCalledTimes(2);
});

test("a listener that is called once may ask to be called again", async () => {
  const channel = await make().join("lobby");
  const heard: string[] = [];
  const again = ({ body }: { body: string }) => {
    heard.push(body);
    channel.once("message", again);
  };
  channel.once("message", again);
  server.say("bob", "one");
  server.say("bob", "two");
  await until("both", () => heard.length === 2);
  expect(heard).toEqual(["one", "two"]);
});

test("a snapshot is the same until something changes, and never changes itself", async () => {
  server.say("bob", "before");
  const client = make();
  const channel = await client.join("lobby");
  const { getSnapshot, subscribe } = channel; // as React calls them
  const first = getSnapshot();
  expect(getSnapshot()).toBe(first);
  expect(first).toMatchObject({ state: "joined", messages: [{ body: "before" }], outbox: [] });

  const heard = vi.fn();
  const stop = subscribe(heard);
  const seen = [first];
  subscribe(() => seen.push(getSnapshot()));
  server.say("bob", "after");
  await until("the message", () => channel.messages.length === 2);
  expect(heard).toHaveBeenCalledWith();
  expect(getSnapshot()).not.toBe(first);
  expect(getSnapshot().messages.map(({ body }) => body)).toEqual(["before", "after"]);
  expect(first.messages.map(({ body }) => body)).toEqual(["before"]);
  expect(getSnapshot().members).toBe(first.members); // nobody came

  stop();
  const calls = heard.mock.calls.length;
  const { messages } = getSnapshot();
  server.intercept = ({ method }) => method === "chat"; // no answer
  void channel.send("mine");
  const pending = getSnapshot().outbox;
  expect(pending).toMatchObject([{ body: "mine", status: "pending" }]);
  expect(getSnapshot().messages).toBe(messages);
  client.close();
  expect(getSnapshot()).toMatchObject({ state: "idle", outbox: [{ status: "failed" }] });
  expect(pending).toMatchObject([{ status: "pending" }]);
  expect(heard).toHaveBeenCalledTimes(calls);
  for (let i = 1; i < seen.length; i++) expect(seen[i]!.messages.length).toBeGreaterThanOrEqual(seen[i - 1]!.messages.length);
});

test("by its types nobody changes a snapshot, nor what is in it", async () => {
  server.say("bob", "before");
  const client = make();
  const { getSnapshot } = await client.join("lobby");
  type Snapshot = ReturnType<typeof getSnapshot>;
  // Compiled, and never called.
  const spoil = (shown: Snapshot) => {
    // @ts-expect-error: nor does the client's
    client.getSnapshot().status = "online";
    // @ts-expect-error: it never changes
    shown.count = 2;
    // @ts-expect-error: nor does the list
    shown.messages.push(shown.messages[0]!);
    // @ts-expect-error: nor a message
    shown.messages[0]!.body = "after";
    // @ts-expect-error: nor what is in it
    shown.messages[0]!.reactions!.sort();
    // @ts-expect-error: nor how often
    shown.messages[0]!.reactions![0]!.count++;
    // @ts-expect-error: nor whom it mentions
    shown.messages[0]!.mentions!.sort();
    // @ts-expect-error: nor what one reacts with
    shown.messages[0]!.mine!.sort();
    // @ts-expect-error: nor what waits
    shown.outbox[0]!.status = "sent";
    // @ts-expect-error: nor a gap
    shown.gaps[0]!.from = 0;
    // @ts-expect-error: nor what is set
    shown.settings.pins.sort();
    // @ts-expect-error: nor what binds one
    shown.sanction!.until = 0;
    // @ts-expect-error: nor what was refused
    shown.forbidden.clear();
  };
  expect(spoil).toBeTypeOf("function");
  expect(getSnapshot().messages.map(({ body }) => body)).toEqual(["before"]);
});

test("what is shown while an event is told is what was told", async () => {
  const channel = await make().join("lobby");
  channel.getSnapshot();
  const shown: number[] = [];
  channel.on("message", () => shown.push(channel.getSnapshot().messages.length));
  server.say("bob", "one");
  server.say("bob", "two");
  await until("both", () => shown.length === 2);
  expect(shown).toEqual([1, 2]);
});

test("the snapshot of a client is its state", async () => {
  const client = make();
  const { getSnapshot, subscribe } = client;
  const statuses: string[] = [];
  const stop = subscribe(() => statuses.push(getSnapshot().status));
  await client.connect();
  expect(getSnapshot()).toBe(client.state);
  expect(getSnapshot()).toBe(getSnapshot());
  server.cut();
  await until("back", () => statuses.length > 3);
  stop();
  client.close();
  expect(statuses.slice(0, 4)).toEqual(["connecting", "online", "waiting", "connecting"]);
  expect(getSnapshot()).toEqual({ status: "closed" });
});

test("a gap of a snapshot can be filled", async () => {
  for (let i = 0; i < 3; i++) server.say("bob", `message ${i}`);
  const channel = await make({ channels: { maxMissed: 0 } }).join("lobby");
  server.recover = 1;
  server.cut();
  for (let i = 3; i < 90; i++) server.say("bob", `message ${i}`, { lose: true });
  await until("the gap", () => channel.state === "joined" && channel.gaps.length === 1);
  const [gap] = channel.getSnapshot().gaps;
  expect(gap).not.toBe(channel.gaps[0]);
  await channel.fill(gap!);
  expect(channel.getSnapshot().gaps).toEqual([]);
  expect(channel.messages.map(({ body }) => body)).toEqual(
    Array.from({ length: 90 }, (_, i) => `message ${i}`),
  );
});

interface Move {
  from: string;
  to: string;
}

test("an application's own data has its own type", async () => {
  const game = await make().join<Move>("lobby");
  const squares: string[] = [];
  game.on("message", ({ data }) => squares.push(data?.to ?? ""));
  await game.send("e4", { type: "move", data: { from: "e2", to: "e4" } });
  // @ts-expect-error: not a move
  void game.send("e5", { type: "move", data: { from: 1 } });
  await until("the moves", () => squares.length === 2);
  const own: Move | undefined = game.getSnapshot().messages[0]?.data;
  expect(own).toEqual({ from: "e2", to: "e4" });
  const page = await game.history();
  expect(page.messages[0]?.data?.from).toBe("e2");
});
