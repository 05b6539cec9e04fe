import { ErrorCode, ParleyError } from "@parley-chat/sdk";
import { expect, test, vi } from "vitest";
import { linkify } from "../../page/src/state/linkify.ts";
import { HUES, hue, initials, legible } from "../../page/src/state/names.ts";
import { channelOf, hashOf, spotIn, wantedIn } from "../../page/src/state/route.ts";

vi.stubGlobal("navigator", { language: "zh-CN" });

test.each([
  ["plain", ["plain"]],
  ["", []],
  ["see https://a.example/x?y=1#z.", ["see ", "<https://a.example/x?y=1#z>", "."]],
  ["(https://a.example/b_(c))", ["(", "<https://a.example/b_(c)>", ")"]],
  ["看https://a.example/路径，好", ["看", "<https://a.example/路径>", "，好"]],
  ["http://a.example\nhttps://b.example", ["<http://a.example>", "\n", "<https://b.example>"]],
  ["javascript:alert(1)", ["javascript:alert(1)"]],
  ["https://", ["https://"]],
  ['<a href="https://a.example">', ['<a href="', "<https://a.example>", '">']],
  ["xhttps://a.example", ["xhttps://a.example"]],
])("addresses in %j", (text, want) => {
  const got = linkify(text).map((piece) => (typeof piece === "string" ? piece : `<${piece.text}>`));
  expect(got).toEqual(want);
});

test("a link leads to http and https only", () => {
  for (const piece of linkify("https://a.example/<script> HTTPS://B.example data:text/html,x")) {
    if (typeof piece !== "string") expect(new URL(piece.href).protocol).toMatch(/^https?:$/);
  }
});

test("punctuation without end takes no time", () => {
  const before = process.cpuUsage();
  linkify("https://a.example/" + ".".repeat(50_000) + "x" + ")".repeat(1_000));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(1_000);
});

test.each(["lobby", "a/b", "房间", "50% off", "#1", "a b?c&d"])("the address of %j", (channel) => {
  expect(channelOf(hashOf(channel))).toBe(channel);
});

test.each(["lobby", "a/b", "a/b/3", "50% off", "a?to=b"])("the address of a message in %j", (channel) => {
  const spot = { epoch: "01M8/5", seq: 42 };
  const hash = hashOf(channel, "ada/?", spot);
  expect(channelOf(hash)).toBe(channel);
  expect(wantedIn(hash)).toEqual({ peer: "ada/?", spot });
  expect(spotIn(hashOf(channel))).toBeUndefined();
  expect(spotIn(hashOf(channel, "x/y/1"))).toBeUndefined();
});

test("addresses of before lead to their channel", () => {
  expect(channelOf("#/a/b")).toBe("a/b");
  expect(channelOf("#/lobby/01M8/x")).toBe("lobby/01M8/x");
});

test.each(["", "#", "#/", "#lobby", "#/%E0%A4%A"])("%j names no channel", (hash) => {
  expect(channelOf(hash)).toBeUndefined();
});

test("both languages fill the same places in every text", async () => {
  const { en } = await import("../../page/src/state/english.ts");
  const { zh } = await import("../../page/src/state/chinese.ts");
  const places = (text: string) => text.split("|").map((form) => (form.match(/\{\w+\}/g) ?? []).sort().join());
  for (const [key, text] of Object.entries(en)) {
    const [one, many = one] = places(text);
    const [chinese] = places(zh[key as keyof typeof zh]);
    expect([key, chinese]).toEqual([key, many]);
    // The form for one may say "a message" for its number.
    expect([key, many!.split(",")]).toEqual([key, expect.arrayContaining(one === "" ? [] : one!.split(","))]);
  }
  const { language, t } = await import("../../page/src/state/i18n.ts");
  expect(language.value).toBe("zh");
  const again = t("again", { n: 3 });
  language.value = "en";
  expect(t("again", { n: 3 })).toBe("Reconnecting in 3 s…");
  expect(again).toContain("3");
  expect(again).not.toContain("{");
});

test("a message that was refused, and one of which nobody knows, have texts that say which", async () => {
  const { language } = await import("../../page/src/state/i18n.ts");
  const { unsent } = await import("../../page/src/state/reason.ts");
  const refused = new ParleyError(ErrorCode.Forbidden, "refused", { action: "chat" });
  const lost = new ParleyError(ErrorCode.Lost, "lost");
  for (const [name, no, perhaps] of [
    ["en", "Not sent: you cannot write here", "It is not known whether this was sent."],
    ["zh", "未发送：你不能在此发言", "不确定此消息是否已发送。"],
  ] as const) {
    language.value = name;
    expect([refused, lost, undefined].map(unsent)).toEqual([no, perhaps, perhaps]);
  }
});

test.each([
  ["ada", "A"],
  ["Grace Hopper", "GH"],
  ["jean-luc.picard", "JP"],
  ["小明", "小"],
  ["王 小明", "王"],
  ["👩‍💻 dev", "👩‍💻"],
  ["e\u0301mile", "É".normalize("NFD")],
  ["\u202e", "?"],
  ["", "?"],
])("initials of %j", (name, want) => {
  expect(initials(name)).toBe(want);
});

test("the colours of names are used alike", () => {
  const counts = new Map<string, number>();
  for (let i = 0; i < 18_000; i++) {
    const name = hue(`user${i}`);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  expect(counts.size).toBe(HUES);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(200);
});

test.each([
  ["ada", "ada"],
  ["小明 👩‍💻", "小明 👩‍💻"],
  ["می\u200cخواهم", "می\u200cخواهم"],
  ["ad\u200ba", "ad<U+200B>a"],
  ["ad\u200da", "ad<U+200D>a"],
  ["\u202eada", "<U+202E>ada"],
  ["ada\u2069 is", "ada<U+2069> is"],
  ["a\u0000\n", "a<U+0000><U+000A>"],
  ["\u3164", "<U+3164>"],
])("the name %j is shown as %j", (name, shown) => {
  expect(legible(name)).toBe(shown);
});
