import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Folded, type Changed, type Reacted, type Shown } from "../../sdk/src/changes.ts";

type Expected = Partial<Shown> & { mine?: string[] };
interface Case {
  message: { seq: number; user: string; body: string; type?: string; data?: unknown };
  me: string;
  changes: (Changed & { react?: { name: string; remove?: boolean } })[];
  order: number[];
  reacted?: Reacted[];
  pages: { asof: number; shown: Expected }[];
  shown: Expected;
}

// The same that Go is tested on: see schema/changes.
const file = new URL("../../../schema/changes/testdata/cases.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];

/** Numbers below one, the same in every run. */
function randomness(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const keys = all.map((value) => ({ value, key: random() }));
  return keys.sort((a, b) => a.key - b.key).map(({ value }) => value);
}

const sent = { channel: "c", id: "i", time: 10_000, trace: "t", reply: 3, mentions: ["bob"] };

/** The message of a case as a result has it. */
function asRead({ message }: Case, { mine: _, ...shown }: Expected): Shown {
  const { seq, user } = message;
  const { reply, mentions, ...stays } = sent;
  return { ...stays, ...(!shown.deleted && { reply, mentions }), seq, user, body: "", ...shown };
}

function began(one: Case): Folded {
  return new Folded({ ...sent, ...one.message }, one.message.seq);
}

/** Whether more names were used than a message shows. */
function crowded(one: Case): boolean {
  return new Set(one.changes.map((change) => change.react?.name)).size > 20;
}

/** Everything that a client may be told of a message, each as something to do. */
function everything(one: Case): ((folded: Folded) => void)[] {
  const own = one.changes.filter(({ react, user }) => react && user === one.me);
  return [
    ...one.changes.map((change) => (folded: Folded) => folded.changed(change)),
    ...(one.reacted ?? []).map((push) => (folded: Folded) => folded.reacted(push, one.me)),
    ...own.map(({ seq, react }) => answering(react!, seq)),
    ...one.pages.map(({ asof, shown }) => reading(one, shown, asof)),
  ];
}

/** The server has answered a reaction of one's own, as the channel passes that on. */
function own(folded: Folded, name: string, on: boolean, seq: number): void {
  folded.reacted({ seq, counts: {}, user: "me", name, remove: !on }, "me");
}

const answering = (react: { name: string; remove?: boolean }, seq: number) => (folded: Folded) =>
  own(folded, react.name, !react.remove, seq);

const reading = (one: Case, shown: Expected, asof: number) => (folded: Folded) =>
  folded.read(asRead(one, shown), asof, shown.mine);

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);

function expectShown(folded: Folded, one: Case, { mine = [], ...want }: Expected): void {
  const got = folded.shown;
  const { reactions, ...rest } = asRead(one, want);
  const { reactions: counts, ...others } = got;
  expect(others).toEqual(rest);
  if (crowded(one)) return;
  expect(counts && [...counts].sort(byName)).toEqual(reactions && [...reactions].sort(byName));
  expect(folded.mine.sort()).toEqual([...mine].sort());
}

test("there are cases of all kinds", () => {
  expect(cases.length).toBeGreaterThan(200);
  for (const kind of ["edit", "delete", "purge", "react"] as const) {
    expect(cases.some(({ changes }) => changes.some((change) => change[kind]))).toBe(true);
  }
});

test("a message is after its changes what it is in Go", () => {
  for (const one of cases) {
    const folded = began(one);
    for (const index of one.order) folded.changed(one.changes[index]!);
    for (const push of one.reacted ?? []) folded.reacted(push, one.me);
    for (const { react, user, seq } of one.changes) {
      if (react && user === one.me) own(folded, react.name, !react.remove, seq);
    }
    expectShown(folded, one, one.shown);
  }
});

test("the order and the repetition of pushes, answers and pages change nothing", () => {
  const random = randomness(1);
  for (const one of cases) {
    for (let round = 0; round < 8; round++) {
      const page = one.pages[round % 3];
      const folded = page
        ? new Folded(asRead(one, page.shown), page.asof, page.shown.mine)
        : began(one);
      const all = everything(one);
      const repeated = shuffled(all, random).slice(0, Math.floor(random() * all.length));
      for (const act of shuffled([...all, ...repeated], random)) act(folded);
      expectShown(folded, one, one.shown);
    }
  }
});

test("a page that comes late undoes nothing", () => {
  for (const one of cases) {
    const folded = began(one);
    for (const act of everything(one)) act(folded);
    const before = { shown: folded.shown, mine: folded.mine };
    folded.read({ ...sent, ...one.message }, one.message.seq);
    for (const act of everything(one)) act(folded);
    expect({ shown: folded.shown, mine: folded.mine }).toEqual(before);
  }
});

test("what is read again counts, with its order of reactions", () => {
  for (const one of cases) {
    const folded = began(one);
    for (const act of everything(one)) act(folded);
    const asof = (one.changes.at(-1)?.seq ?? one.message.seq) + 1;
    reading(one, one.shown, asof)(folded);
    expect(folded.shown).toEqual(asRead(one, one.shown));
    expect(folded.mine).toEqual(one.shown.mine ?? []);
  }
});

test("nothing of what a deleted message said is left", () => {
  const folded = new Folded({ ...sent, seq: 10, user: "ada", body: "secret", data: "secret" }, 10);
  folded.changed({ seq: 11, time: 1, edit: { body: "secret", type: "secret" } });
  folded.reacted({ seq: 12, counts: { secret: 1 }, user: "ada", name: "secret" }, "ada");
  folded.changed({ seq: 13, time: 2, user: "bob", delete: {} });
  folded.changed({ seq: 14, time: 3, edit: { body: "secret" } });
  folded.reacted({ seq: 15, counts: { secret: 2 } }, "ada");
  expect(JSON.stringify([folded.shown, folded.mine])).not.toContain("secret");
  expect(folded.shown.deleted).toEqual({ seq: 13, time: 2, by: { user: "bob" } });
});

test("a push without counts makes them unknown until they are read", () => {
  const folded = new Folded({ ...sent, seq: 10, user: "ada", body: "x" }, 10);
  folded.reacted({ seq: 20 }, "ada");
  expect(folded.stale).toBe(true);
  folded.read({ ...sent, seq: 10, user: "ada", body: "x" }, 19);
  expect(folded.stale).toBe(true);
  folded.read({ ...sent, seq: 10, user: "ada", body: "x" }, 20);
  expect(folded.stale).toBe(false);
});

test("names that come and go are not all remembered, and do not come back", () => {
  const message = { ...sent, seq: 10, user: "ada", body: "x" };
  const folded = new Folded(message, 10);
  folded.reacted({ seq: 12, counts: { stays: 2 } }, "ada");
  own(folded, "stays", true, 12);
  folded.reacted({ seq: 15 }, "ada");
  for (let i = 0; i < 1000; i++) {
    folded.reacted({ seq: 20 + 2 * i, counts: { [`n${i}`]: 1 } }, "ada");
    folded.reacted({ seq: 21 + 2 * i, counts: { [`n${i}`]: 0 } }, "ada");
  }
  folded.read({ ...message, reactions: [{ name: "n0", count: 1 }] }, 11);
  folded.reacted({ seq: 20, counts: { n0: 1 } }, "ada");
  expect(folded.shown.reactions).toEqual([{ name: "stays", count: 2 }]);
  expect(folded.mine).toEqual(["stays"]);
  expect(folded.stale).toBe(true);
  own(folded, "late", true, 30); // an answer that came late
  expect(folded.mine).toEqual(["stays", "late"]);
  folded.read({ ...message, reactions: [{ name: "new", count: 1 }] }, 5000, ["new"]);
  expect(folded.shown.reactions).toEqual([{ name: "new", count: 1 }]);
  expect([folded.mine, folded.stale]).toEqual([["new"], false]);
});
