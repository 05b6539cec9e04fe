import { expect, test } from "vitest";
import { parse } from "../../page/src/state/markdown.ts";
import { hasMarkup, type Block, type Inline } from "../../page/src/state/markup.ts";

/** Blocks in a short notation, to compare them. */
function note(blocks: Block[]): string {
  return blocks
    .map((block) => {
      if (block.kind === "blank") return `~${block.lines}`;
      if (block.kind === "fence") return `{${block.language}:${block.text}}`;
      if (block.kind === "quote") return `>(${note(block.children)})`;
      if (block.kind === "text") return line(block.children);
      return `[${block.items.map(({ value, children }) => `${value ?? "-"} ${note(children)}`).join("; ")}]`;
    })
    .join(" | ");
}

function line(inlines: Inline[]): string {
  return inlines
    .map((inline) => {
      if (typeof inline === "string") return inline;
      if (inline.kind === "code") return `code(${inline.text})`;
      if (inline.kind === "mention") return `user(${inline.user})`;
      if (inline.kind === "link") return `link(${inline.href} ${line(inline.children)})`;
      return `${inline.kind}(${line(inline.children)})`;
    })
    .join("");
}

const read = (text: string, mentions: string[] = []) => note(parse(text, mentions));

test.each([
  ["plain", "plain"],
  ["**bold** and *italic* and ~~gone~~", "strong(bold) and em(italic) and del(gone)"],
  ["***both***", "em(strong(both))"],
  ["snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"],
  ["`a * b * c`", "code(a * b * c)"],
  ["`` a`b ``", "code(a`b)"],
  ["\\*not\\*", "*not*"],
  ["**open", "**open"],
  ["a\nb", "a\nb"],
  ["a\n\n\nb", "a | ~2 | b"],
  ["\n\na\n", "~2 | a"],
  ["  indented", "  indented"],
  ["# one\n=== <b>x</b> &amp; ![a](https://a.example/)", "# one\n=== <b>x</b> &amp; !link(https://a.example/ a)"],
  ["one\n---", "one | ---"],
  ["    four spaces", "    four spaces"],
  ["> a\n> b\nc", ">(a\nb) | c"],
  ["> > a\n> b", ">(>(a) | b)"],
  [">", ">"],
  ["-", "-"],
  ["- a\n- b\n\nc", "[- a; - b] | ~1 | c"],
  ["- a\nc", "[- a] | c"],
  ["- a\n  - b\n- c", "[- a | [- b]; - c]"],
  ["3. a\n5. b", "[3 a; 4 b]".replace("4", "5")],
  ["- a\n\n- b", "[- a | ~1; - b]"],
  ["1986. A year", "[1986 A year]"],
  ["```go\nfunc main() {}\n\n**x**\n```\nafter", "{go:func main() {}\n\n**x**} | after"],
  ["```\nopen", "{:open}"],
  ["> ```\n> a\n> b\n> ```", ">({:a\nb})"],
])("%j as Markdown", (text, want) => {
  expect(read(text)).toBe(want);
});

test.each([
  ["**https://a.example/b_c_d**", "strong(link(https://a.example/b_c_d https://a.example/b_c_d))"],
  ["see https://a.example/*x*y.", "see link(https://a.example/*x*y https://a.example/*x*y)."],
  ["[text](https://a.example/)", "link(https://a.example/ text)"],
  ["[*a* b](<https://a.example/ x>)", "link(https://a.example/%20x em(a) b)"],
  ["[text] and [text][1]", "[text] and [text][1]"],
  ["[a **b**]", "[a strong(b)]"],
  ["[x](javascript:alert(1))", "[x](javascript:alert(1))"],
  ["[x](JaVaScRiPt:alert(1)) [y](data:text/html,z) [z](//a.example)", "[x](JaVaScRiPt:alert(1)) [y](data:text/html,z) [z](//a.example)"],
  ["[https://bank.example](https://evil.example)", "[https://bank.example](https://evil.example)"],
  ["[bank.example](https://evil.example)", "[bank.example](https://evil.example)"],
  ["[www.a.example](https://www.a.example/x)", "link(https://www.a.example/x www.a.example)"],
  ["[](https://a.example)", "[](https://a.example)"],
])("links in %j", (text, want) => {
  expect(read(text)).toBe(want);
});

test("mentions are found before the marks that are in names", () => {
  expect(read("**@ada** and @_x_ or @bob", ["ada", "_x_"])).toBe("strong(user(ada)) and user(_x_) or @bob");
  expect(read("`@ada`", ["ada"])).toBe("code(@ada)");
});

test("what has no marks needs no parser", () => {
  for (const text of ["hello", "a-b", "#1 (see https://a.example/x?y=1)", "👍 1,000 <3", "x > y", "房间：好"]) {
    expect(hasMarkup(text)).toBe(false);
    expect(read(text).replace(/link\(\S+ (\S+)\)\)/, "$1)")).toBe(text);
  }
});

/** How deep the deepest is. */
function depth(of: readonly (Block | Inline)[]): number {
  const below = of.map((one) => {
    if (typeof one === "string") return 0;
    if ("items" in one) return depth(one.items.flatMap(({ children }) => children));
    return "children" in one ? depth(one.children) : 0;
  });
  return 1 + Math.max(0, ...below);
}

const HOSTILE: [string, string][] = [
  "*", "_", "`", "[", "]", "![", "> ", ">", "- ", "1. ", "~~", "**a ", "*a **b ", "[a](", "\\", "@", "h", "https://", "_a*",
  "``` ", "```\n", "a\n\n", "\n", "- a\n", "> a\n", "\t", "<", "&", "[x](<", "https://a.example/(", "@ada ", "\u202e*", "((", "`a``",
].map((unit) => [unit, unit.repeat(Math.ceil(4096 / unit.length))]);

test.each(HOSTILE)("4 KiB of %j are read in bounded time and depth", (_, text) => {
  parse(text, ["ada"]); // as the compiler has left it
  const before = process.cpuUsage();
  const blocks = parse(text, ["ada"]);
  const { user, system } = process.cpuUsage(before);
  expect(depth(blocks)).toBeLessThan(24);
  expect((user + system) / 1000).toBeLessThan(250);
});

test("nested in every level it ends", () => {
  const text = Array.from({ length: 60 }, (_, i) => `${"  ".repeat(i)}- a`).join("\n");
  expect(depth(parse(text, []))).toBeLessThan(24);
});

test("no character is lost but marks", () => {
  const letters = (text: string) => text.replace(/[^\p{L}]/gu, "");
  let seed = 1;
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
  const units = ["*", "**", "_", "`", "~~", "[", "](", ")", "> ", "- ", "1. ", "\n", "\n\n", " ", "a", "b", "好", "\\", "```\n", "  "];
  const text = (block: Block): string =>
    block.kind === "blank" ? "" : block.kind === "fence" ? block.language + block.text
    : block.kind === "list" ? block.items.flatMap((item) => item.children).map(text).join("")
    : block.kind === "quote" ? block.children.map(text).join("") : block.children.map(flat).join("");
  const flat = (inline: Inline): string =>
    typeof inline === "string" ? inline : "text" in inline ? inline.text : inline.children.map(flat).join("");
  for (let round = 0; round < 3_000; round++) {
    const body = Array.from({ length: 1 + random(40) }, () => units[random(units.length)]).join("");
    expect(letters(parse(body, []).map(text).join("")), JSON.stringify(body)).toBe(letters(body));
  }
});
