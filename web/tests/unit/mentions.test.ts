import { expect, test } from "vitest";
import { beginning, matching, mentioned, split } from "../../page/src/state/mentions.ts";

test.each([
  ["@", 1, ""],
  ["@l", 2, "l"],
  ["hey @li", 7, "li"],
  ["hey @li and so on", 7, "li"],
  ["看看@小", 4, undefined], // a letter is before it
  ["看看 @小", 5, "小"],
  ["(@li", 4, "li"],
  ["mail me at ada@example", 22, undefined],
  ["@ li", 4, undefined],
  ["@grace hopper", 13, "grace hopper"],
  ["@grace hopper is", 16, undefined],
  ["@li\nnext", 8, undefined],
  ["hey", 3, undefined],
])("%j at %d: a name that begins with %j", (text, cursor, prefix) => {
  expect(beginning(text, cursor)?.prefix).toBe(prefix);
});

test("names are found by how they begin, in any case, the shortest first", () => {
  expect(matching(["linus", "Li", "alan", "lisa"], "li")).toEqual(["Li", "lisa", "linus"]);
});

test("a mention is an @ and the whole name, the longest that fits", () => {
  const users = ["ada", "ada lovelace", "小明", "bob"];
  expect(split("@ada, @ada lovelace and @小明看看 @bobby", users)).toEqual([
    { text: "@ada", user: "ada" },
    { text: ", " },
    { text: "@ada lovelace", user: "ada lovelace" },
    { text: " and " },
    { text: "@小明", user: "小明" },
    { text: "看看 @bobby" },
  ]);
  expect(mentioned("@ada @bob @ada", users)).toEqual(["ada", "bob"]);
  expect(mentioned("ada", users)).toEqual([]);
  expect(split("no one", users)).toEqual([{ text: "no one" }]);
});
