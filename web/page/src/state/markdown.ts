import type { SyntaxNode } from "@lezer/common";
import { parser as commonMark, Strikethrough, type BlockContext, type Line } from "@lezer/markdown";
import { addressAt, linkify, parse as addressOf } from "./linkify.ts";
import type { Block, Inline } from "./markup.ts";
import { mentionAt } from "./mentions.ts";

/** Levels of blocks and of marks within marks; what is deeper stays text. */
const DEEPEST = 8;
/** Longer texts than any server takes by default stay text. */
const LONGEST = 64 * 1024;
/** Nobody means that many quotes and lists within each other at once. */
const PILED = /^(?:[ \t]*(?:[>*+-]|\d{1,9}[.)])){24}/m;

/** The users that the text being read mentions, the longest names first. */
let names: readonly string[] = [];

/**
 * CommonMark without what has no place in a message: headings and rules (people write
 * "#1" and "---"), HTML, images, and lines that belong to a quote without saying so.
 */
const markdown = commonMark.configure([
  Strikethrough,
  {
    remove: [
      "ATXHeading", "SetextHeading", "HorizontalRule", "IndentedCode", "HTMLBlock",
      "LinkReference", "HTMLTag", "Image", "Entity", "HardBreak",
    ],
    defineNodes: ["Address", "Mention"],
    parseBlock: [{ name: "EndOfQuote", endLeaf: isLazy }],
    parseInline: [
      {
        name: "Address",
        before: "Escape",
        parse(cx, next, at) {
          if (next !== 104 && next !== 72) return -1; // h, H
          const found = addressAt(cx.text, at - cx.offset);
          return found ? cx.addElement(cx.elt("Address", at, at + found.text.length)) : -1;
        },
      },
      {
        name: "Mention",
        before: "Escape",
        parse(cx, next, at) {
          const user = next === 64 ? mentionAt(cx.text, at - cx.offset, names) : undefined; // @
          return user === undefined ? -1 : cx.addElement(cx.elt("Mention", at, at + 1 + user.length));
        },
      },
    ],
  },
]);

/** Whether a line goes on with a paragraph though it is outside of its quote or list. */
function isLazy(cx: BlockContext, line: Line): boolean {
  return (line as unknown as { depth: number }).depth < cx.depth;
}

/** Reads a text as Markdown, in time and depth that are bounded. */
export function parse(text: string, mentions: readonly string[]): Block[] {
  if (text.length > LONGEST || PILED.test(text)) return [{ kind: "text", children: [text] }];
  names = [...mentions].sort((a, b) => b.length - a.length);
  const { topNode } = markdown.parse(text);
  return new Reader(text).blocks(topNode, 0, text.length, 0);
}

class Reader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The blocks in a node, and the empty lines before, between and after them. */
  blocks(node: SyntaxNode, from: number, to: number, depth: number): Block[] {
    const blocks: Block[] = [];
    let end = from;
    for (let child = node.firstChild; child; child = child.nextSibling) {
      if (child.name.endsWith("Mark")) continue;
      this.#blank(blocks, end, child.from, blocks.length > 0);
      const block = this.#block(child, depth);
      // An indent is part of how it was written.
      const line = this.#text.lastIndexOf("\n", child.from - 1) + 1;
      if (depth === 0 && block.kind === "text") block.children.unshift(this.#text.slice(line, child.from));
      blocks.push(block);
      end = child.to;
    }
    if (blocks.length === 0) return [{ kind: "text", children: [this.#text.slice(from, to)] }];
    this.#blank(blocks, end, to, true);
    return blocks;
  }

  /** Between two blocks one end of a line is that of the first. */
  #blank(blocks: Block[], from: number, to: number, follows: boolean): void {
    const lines = this.#text.slice(from, to).split("\n").length - (follows ? 2 : 1);
    if (lines > 0) blocks.push({ kind: "blank", lines });
  }

  #block(node: SyntaxNode, depth: number): Block {
    const asText: Block = { kind: "text", children: [this.#text.slice(node.from, node.to)] };
    if (node.name === "FencedCode") return this.#fence(node);
    if (node.name === "Paragraph") return { kind: "text", children: this.#inlines(node, 0) };
    if (depth >= DEEPEST) return asText;
    if (node.name === "Blockquote") {
      if (isEmpty(node)) return asText;
      return { kind: "quote", children: this.blocks(node, node.from, node.to, depth + 1) };
    }
    const items = node.getChildren("ListItem");
    if (items.length === 0 || items.some(isEmpty)) return asText;
    return this.#list(node, items, depth);
  }

  #list(node: SyntaxNode, items: SyntaxNode[], depth: number): Block {
    const ordered = node.name === "OrderedList";
    return {
      kind: "list",
      ordered,
      items: items.map((item, i) => {
        const mark = item.firstChild!;
        const children = this.blocks(item, mark.to, item.to, depth + 1);
        const next = items[i + 1];
        if (next) this.#blank(children, item.to, next.from, true);
        if (!ordered) return { children };
        return { value: parseInt(this.#text.slice(mark.from, mark.to), 10), children };
      }),
    };
  }

  #fence(node: SyntaxNode): Block {
    const info = node.getChild("CodeInfo");
    const parts = node.getChildren("CodeText").map(({ from, to }) => this.#text.slice(from, to));
    return {
      kind: "fence",
      text: parts.join(""),
      language: info ? this.#text.slice(info.from, info.to) : "",
    };
  }

  /** What is in a node, without the marks that it is made of unless they are wanted. */
  #inlines(node: SyntaxNode, depth: number, marks = false, from = node.from, to = node.to): Inline[] {
    const inlines: Inline[] = [];
    let end = from;
    for (let child = node.firstChild; child; child = child.nextSibling) {
      if (child.from < end || child.to > to) continue;
      const quote = child.name === "QuoteMark";
      if (marks && !quote && /Mark$|^Link./.test(child.name)) continue;
      inlines.push(this.#text.slice(end, child.from), ...this.#inline(child, depth));
      end = child.to;
      if (quote && this.#text[end] === " ") end++;
    }
    inlines.push(this.#text.slice(end, to));
    return join(inlines);
  }

  #inline(node: SyntaxNode, depth: number): Inline[] {
    const { name, from, to } = node;
    const text = this.#text.slice(from, to);
    if (name.endsWith("Mark")) return [];
    if (name === "Escape") return [text.slice(1)];
    if (name === "InlineCode") return [{ kind: "code", text: this.#code(node) }];
    if (name === "Mention") return [{ kind: "mention", user: text.slice(1), text }];
    if (name === "Address") {
      const href = addressOf(text);
      return href === undefined ? [text] : [{ kind: "link", href, children: [text] }];
    }
    if (depth >= DEEPEST) return [text];
    if (name === "Link") return this.#link(node, depth);
    const kind = KINDS[name];
    return kind ? [{ kind, children: this.#inlines(node, depth + 1) }] : [text];
  }

  /** What is between the marks; a space at either end is there to keep a ` apart. */
  #code(node: SyntaxNode): string {
    const { firstChild, lastChild } = node;
    let text = "";
    let end = firstChild!.to;
    for (let child = firstChild!.nextSibling; child; child = child.nextSibling) {
      text += this.#text.slice(end, child.from);
      end = child.to;
    }
    if (lastChild === firstChild) return this.#text.slice(node.from, node.to);
    return /^ .*\S.* $/s.test(text) ? text.slice(1, -1) : text;
  }

  /** A link that says truly where it leads; any other stays as it was written. */
  #link(node: SyntaxNode, depth: number): Inline[] {
    const url = node.getChild("URL");
    const marks = node.getChildren("LinkMark");
    const href = url && addressOf(this.#text.slice(url.from, url.to).replace(/^<|>$/g, ""));
    const [open, close] = marks;
    if (!href || !open || !close) return this.#inlines(node, depth + 1, true);
    const label = this.#text.slice(open.to, close.from);
    if (label.trim() === "" || misleads(label, href)) return [this.#text.slice(node.from, node.to)];
    const children = unlinked(this.#inlines(node, depth + 1, false, open.to, close.from));
    return [{ kind: "link", href, children }];
  }
}

const KINDS: Record<string, "strong" | "em" | "del"> = {
  StrongEmphasis: "strong",
  Emphasis: "em",
  Strikethrough: "del",
};

/** Reports whether there is nothing in a quote or an item but its marks. */
function isEmpty(node: SyntaxNode): boolean {
  for (let child = node.firstChild; child; child = child.nextSibling) {
    if (!child.name.endsWith("Mark")) return false;
  }
  return true;
}

/** Reports whether the text of a link looks like the address of another place. */
function misleads(label: string, href: string): boolean {
  const { host } = new URL(href);
  const named = linkify(label).some((piece) => typeof piece !== "string" && new URL(piece.href).host !== host);
  const like = label.toLowerCase().match(/[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/gu) ?? [];
  return named || like.some((name) => /\.\p{L}{2,}$/u.test(name) && name !== host && !host.endsWith(`.${name}`));
}

/** A link within a link leads where the outer one does. */
function unlinked(inlines: Inline[]): Inline[] {
  return join(
    inlines.flatMap((inline): Inline[] => {
      if (typeof inline === "string" || !("children" in inline)) return [inline];
      const children = unlinked(inline.children);
      return inline.kind === "link" ? children : [{ ...inline, children }];
    }),
  );
}

/** Neighbouring texts as one. */
function join(inlines: Inline[]): Inline[] {
  const joined: Inline[] = [];
  for (const inline of inlines) {
    const last = joined.at(-1);
    if (inline === "") continue;
    if (typeof inline === "string" && typeof last === "string") joined[joined.length - 1] = last + inline;
    else joined.push(inline);
  }
  return joined;
}
