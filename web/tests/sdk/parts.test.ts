import { expect, test } from "vitest";
import { backoff } from "../../sdk/src/backoff.ts";
import { newId } from "../../sdk/src/id.ts";
import { compareNames, Roster } from "../../sdk/src/roster.ts";
import { Timeline } from "../../sdk/src/timeline.ts";

test("back-off: full jitter under a ceiling from 0.5 s to 20 s", () => {
  const ceiling = (attempt: number) => backoff(attempt, () => 1);
  expect([0, 1, 2, 5, 6, 1000].map(ceiling)).toEqual([500, 1000, 2000, 16_000, 20_000, 20_000]);
  expect(backoff(9, () => 0)).toBe(0);
});

test("ids are of 26 characters, ordered by time, and different", () => {
  expect(newId()).toMatch(/^[0-9a-v]{26}$/);
  expect(newId(1_000) < newId(2_000)).toBe(true);
  expect(newId(9_999) < newId(10_000_000_000_000)).toBe(true);
  expect(new Set(Array.from({ length: 10_000 }, () => newId())).size).toBe(10_000);
});

test("names compare as their bytes in UTF-8 do", () => {
  const names = ["", "a", "ab", "b", "é", "中", "\uffee", "😀", "😀b", "Z", "z", "\ue000"];
  for (const a of names) {
    for (const b of names) {
      const want = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(Math.sign(compareNames(a, b)), `${a} and ${b}`).toBe(want);
    }
  }
});

test("a partly loaded roster counts those it does not hold", () => {
  const roster = new Roster();
  roster.reset([{ user: "a" }, { user: "c" }], 4);
  roster.joined({ user: "b", info: 1 });
  roster.joined({ user: "z" });
  roster.left("x");
  expect(roster.users).toEqual(["a", "b", "c"]);
  expect(roster.count).toBe(5);
  expect(roster.infos.get("b")).toBe(1);
  roster.addPage([{ user: "m" }, { user: "z" }], 5);
  expect(roster.users).toEqual(["a", "b", "c", "m", "z"]);
  expect(roster.complete).toBe(true);
});

const at = (seq: number) => ({ channel: "c", seq, id: `${seq}`, user: "u", body: "", time: 0 });
const seqs = (timeline: Timeline) => timeline.messages.map((m) => m.seq);

test("the timeline keeps the order, whatever overlaps", () => {
  const timeline = new Timeline(() => "u");
  timeline.append({ messages: [at(5), at(6)] }, "e");
  expect(timeline.append({ messages: [at(6), at(8)] }, "e").map((m) => m.seq)).toEqual([8]);
  timeline.prepend({ messages: [at(2), at(5)] }, "e");
  timeline.prepend({ messages: [at(7), at(9)] }, "older");
  expect(seqs(timeline)).toEqual([7, 9, 2, 5, 6, 8]);
});

test("a gap shrinks from its older end and closes", () => {
  const timeline = new Timeline(() => "u");
  timeline.append({ messages: [at(1), at(9)] }, "e");
  const gap = { epoch: "e", from: 1, to: 9 };
  timeline.gaps.push(gap);
  timeline.fill(gap, { messages: [at(3), at(4)] }, 4, false);
  expect(gap.from).toBe(4);
  timeline.fill(gap, { messages: [at(7), at(9), at(11)] }, 11, true);
  expect(seqs(timeline)).toEqual([1, 3, 4, 7, 9]);
  expect(timeline.gaps).toEqual([]);
  expect(timeline.fill(gap, { messages: [at(8)] }, 8, true)).toEqual([]);
});
