import { expect, test } from "vitest";
import { find } from "../../page/src/state/places.ts";

const known = {
  places: [{ channel: "lobby" }, { channel: "alphabet" }, { channel: "lobby", peer: "bob" }],
  channel: "lobby",
  people: ["bob", "Albert"],
};
const names = (text: string) => find(known, text).map(({ channel, peer }) => (peer ? `@${peer}` : channel));

test.each([
  ["", ["lobby", "alphabet", "@bob", "@Albert"]],
  ["al", ["alphabet", "@Albert", "al"]],
  ["B", ["@bob", "lobby", "alphabet", "@Albert", "B"]],
  ["lobby", ["lobby"]],
  [" new room ", ["new room"]],
])("%j leads to %j", (text, want) => {
  expect(names(text)).toEqual(want);
});

test("what is offered is bounded", () => {
  const people = Array.from({ length: 1000 }, (_, i) => `user${i}`);
  expect(find({ ...known, people }, "user").length).toBeLessThanOrEqual(13);
});
