import { expect, test } from "vitest";
import { snippet } from "../../page/src/state/search.ts";

const shown = (body: string, ranges: [number, number][]) =>
  snippet(body, ranges).map(({ text, found }) => (found ? `[${text}]` : text)).join("");

test.each<[string, [number, number][], string]>([
  ["The quick brown fox", [[4, 9], [16, 19]], "The [quick] brown [fox]"],
  ["今天天气很好", [[2, 4]], "今天[天气]很好"],
  ["a\n\nb", [[3, 4]], "a [b]"],
  ["none", [], "none"],
  ["overlaps", [[0, 4], [2, 6]], "[over]laps"],
])("what is found in %j at %j", (body, ranges, want) => {
  expect(shown(body, ranges)).toBe(want);
});

test("of a long text there is what surrounds the first word", () => {
  const body = `${"😀".repeat(200)}word${"😀".repeat(400)}`;
  const text = shown(body, [[400, 404]]);
  expect(text).toMatch(/^…😀{30}\[word\]😀+…$/u);
  expect(text.length).toBeLessThan(260);
});
