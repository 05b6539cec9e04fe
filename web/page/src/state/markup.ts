import { signal } from "@preact/signals";

/** A piece of a line. A string is text as it is. */
export type Inline =
  | string
  | { kind: "strong" | "em" | "del"; children: Inline[] }
  | { kind: "code"; text: string }
  | { kind: "link"; href: string; children: Inline[] }
  | { kind: "mention"; user: string; text: string };

/** A block. Empty lines between blocks are text, too: they are kept as they were written. */
export type Block =
  | { kind: "text"; children: Inline[] }
  | { kind: "quote"; children: Block[] }
  | { kind: "list"; ordered: boolean; items: { value?: number; children: Block[] }[] }
  | { kind: "fence"; text: string; language: string }
  | { kind: "blank"; lines: number };

/** Reads a text with its mentions as Markdown. */
export type Parse = (text: string, mentions: readonly string[]) => Block[];

/** The parser, once a text needed it. */
export const parser = signal<Parse | undefined>(undefined);
let loading: Promise<void> | undefined;

/** What Markdown has no meaning without. */
const MARKS = /[*_`\\]|~~|\]\(|^ {0,3}(?:>|[-+] |\d{1,9}[.)] )/m;

/** Reports whether a text may be anything else as Markdown than it is as it stands. */
export function hasMarkup(text: string): boolean {
  return MARKS.test(text);
}

/** Fetches the parser; without it texts are shown as they were written. */
export function loadParser(): Promise<void> {
  loading ??= import("./markdown.ts").then(
    ({ parse }) => void (parser.value = parse),
    () => void (loading = undefined), // the next text tries again
  );
  return loading;
}

/** Waits for the parser where a text needs it. */
export async function readable(body: string): Promise<void> {
  if (hasMarkup(body)) await loadParser();
}

/** A text in one line without its marks, once the parser is there that knows them. */
export function unmarked({ body, mentions = [] }: { body: string; mentions?: readonly string[] }): string {
  const parse = parser.value;
  const marked = hasMarkup(body);
  if (marked && !parse) void loadParser();
  const text = marked && parse ? flat(parse(body, mentions)) : body;
  return text.replace(/\s+/gu, " ").trim();
}

function flat(pieces: readonly (Inline | Block)[]): string {
  return pieces
    .map((piece) => {
      if (typeof piece === "string") return piece;
      if ("items" in piece) return piece.items.map(({ children }) => flat(children)).join("\n");
      const text = "children" in piece ? flat(piece.children) : "text" in piece ? piece.text : "";
      return /^(text|quote|fence|blank)$/.test(piece.kind) ? `${text}\n` : text;
    })
    .join("");
}
