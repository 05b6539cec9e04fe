import type { Page } from "playwright-core";
import { between, type Frame } from "./between.ts";

/** When the pictures were taken, and most of what they show was written. */
export const start = Date.UTC(2026, 10, 23, 9, 41);

/**
 * Pictures show the same times whenever they are taken: every message was written
 * when `at` says by its seq: without it, a minute after the one that was seen before.
 */
export function still(page: Page, at = inTurn()): Promise<void> {
  const fix = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(fix);
    if (typeof value !== "object" || value === null) return value;
    const { time, seq } = value as { time?: unknown; seq?: unknown };
    const entries = Object.entries(value).map(([key, inner]) => [key, fix(inner)]);
    const fixed = Object.fromEntries(entries);
    return typeof time === "number" ? { ...fixed, time: at(Number(seq ?? 0)) } : fixed;
  };
  return between(page, (frame) => frame, (frame) => fix(frame) as Frame);
}

/** The times do not follow from seqs: other records in the partition use them up too. */
function inTurn(): (seq: number) => number {
  const seen = new Map<number, number>();
  return (seq) => {
    if (!seen.has(seq)) seen.set(seq, start + 60_000 * seen.size);
    return seen.get(seq)!;
  };
}
