import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "./server.ts";

/** A page of the documentation, by its path in the repository. */
export function text(path: string): string {
  return readFileSync(join(repository, path), "utf8");
}

/** The blocks of code in a page, in their order, with the language that each names. */
export function blocks(page: string): { language: string; code: string }[] {
  return [...page.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({
    language: language!,
    code: code!,
  }));
}

/** The first column of the tables below a heading, by the head of that column, without what is in brackets. */
export function firstColumns(page: string, heading: string): Record<string, string[]> {
  const from = page.split(`\n## ${heading}\n`)[1] ?? "";
  const section = from.split(/\n## /)[0]!;
  const columns: Record<string, string[]> = {};
  let head: string | undefined;
  for (const line of section.split("\n")) {
    const cell = /^\| ([^|]*?) \|/.exec(line)?.[1];
    if (cell === undefined) head = line.startsWith("|---") ? head : undefined;
    else if (head === undefined) columns[(head = cell)] = [];
    else columns[head]!.push(/\w+/.exec(cell)![0]);
  }
  return columns;
}
