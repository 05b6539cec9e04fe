import { expect, test } from "vitest";
import { buildRows, type RowSource } from "../../page/src/state/rows.ts";

const noon = new Date(2026, 10, 23, 12).getTime();
const minute = 60_000;

function message(seq: number, user: string, time: number, to?: string) {
  return { channel: "c", epoch: "e", seq, id: `${seq}`, user, body: "x", time, ...(to && { to }) };
}

function lay(source: Partial<RowSource>): string[] {
  const rows = buildRows({
    messages: [],
    outbox: [],
    gaps: [],
    user: "ada",
    heads: new Set(),
    within: () => true,
    ...source,
  });
  return rows.map((row) => ("head" in row ? `${row.key}${row.head ? "*" : ""}` : row.kind));
}

test("messages of one author close together are one group", () => {
  const messages = [
    message(1, "bob", noon),
    message(2, "bob", noon + minute),
    message(3, "cyd", noon + minute),
    message(4, "cyd", noon + 20 * minute),
    message(5, "cyd", noon + 20 * minute, "ada"),
  ];
  expect(lay({ messages })).toEqual(["e/1*", "e/2", "e/3*", "e/4*", "e/5*"]);
});

test("a long group has more heads", () => {
  const slow = Array.from({ length: 9 }, (_, i) => message(i, "bob", noon + 4 * i * minute));
  expect(lay({ messages: slow }).filter((key) => key.endsWith("*"))).toEqual(["e/0*", "e/4*", "e/8*"]);
  const fast = Array.from({ length: 45 }, (_, i) => message(i, "bob", noon));
  expect(lay({ messages: fast }).filter((key) => key.endsWith("*"))).toEqual(["e/0*", "e/20*", "e/40*"]);
  const tall = fast.map((one) => ({ ...one, body: "x\nx\nx\nx\nx" }));
  expect(lay({ messages: tall }).filter((key) => key.endsWith("*")).length).toBe(12);
});

test("a new day has a row, the oldest one does not", () => {
  const messages = [message(1, "bob", noon), message(2, "bob", noon + 24 * 60 * minute)];
  expect(lay({ messages })).toEqual(["e/1*", "day", "e/2*"]);
});

test("clocks that went back make no second day", () => {
  const messages = [
    message(1, "bob", noon + 24 * 60 * minute),
    message(2, "bob", noon),
    message(3, "bob", noon + 24 * 60 * minute),
  ];
  expect(lay({ messages })).toEqual(["e/1*", "e/2", "e/3*"]);
});

test("markers are where they belong and begin a new group", () => {
  const messages = [1, 2, 3, 9].map((seq) => message(seq, "bob", noon));
  const rows = lay({
    messages,
    firstNew: "e/2",
    away: { after: "e/2", missed: 2, complete: true },
    gaps: [{ epoch: "e", from: 3, to: 9 }],
  });
  expect(rows).toEqual(["e/1*", "new", "e/2*", "away", "e/3*", "gap", "e/9*"]);
});

test("a marker above everything does not make the oldest day a new one", () => {
  expect(lay({ messages: [message(1, "bob", noon)], firstNew: "e/1" })).toEqual(["new", "e/1*"]);
});

test("what is on its way out comes last", () => {
  const outbox = [{ id: "a", body: "x", time: noon, status: "pending" as const }];
  expect(lay({ messages: [message(1, "ada", noon)], outbox })).toEqual(["e/1*", "oa"]);
});

test("the head of a page stays one when an older page is put before it", () => {
  const messages = [message(1, "bob", noon), message(2, "bob", noon)];
  expect(lay({ messages, heads: new Set(["e/2"]) })).toEqual(["e/1*", "e/2*"]);
});

test("10,000 messages are laid out within a frame", () => {
  const messages = Array.from({ length: 10_000 }, (_, i) =>
    message(i, `user${(i >> 2) % 9}`, noon + i * minute),
  );
  // Processor time, and the least of a few runs: what the machine does beside adds to it.
  const took = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    expect(lay({ messages }).length).toBeGreaterThan(10_000);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  expect(Math.min(...took)).toBeLessThan(50);
});
