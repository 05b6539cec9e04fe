import {
  defaultRangeExtractor,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualItem,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useState } from "preact/hooks";

type List = Virtualizer<HTMLDivElement, HTMLDivElement>;
type Options = VirtualizerOptions<HTMLDivElement, HTMLDivElement>;

/** Connects TanStack's virtualizer to Preact: a change of what is visible renders again. */
export function useVirtualizer(
  options: Omit<Options, "scrollToFn" | "observeElementRect" | "observeElementOffset">,
): List {
  const [, render] = useReducer((n: number, _: void) => n + 1, 0);
  const [offsets] = useState(() => new Offsets());
  const all: Options = {
    observeElementRect,
    observeElementOffset: offsets.observe,
    scrollToFn: offsets.scroll,
    measureElement: height,
    ...options,
    onChange: (list, sync) => {
      render();
      options.onChange?.(list, sync);
    },
  };
  const [list] = useState(() => new Virtualizer(all));
  list.setOptions(all);
  useLayoutEffect(() => list._didMount(), []);
  useLayoutEffect(() => list._willUpdate());
  return list;
}

/**
 * Where the list is. Browsers report a scroll with the next frame, before which
 * more messages may come, and a page in the background has no frames: what the
 * list does itself is reported at once, so that it knows that it is at its end.
 */
class Offsets {
  #report: ((offset: number, scrolling: boolean) => void) | undefined;

  readonly observe: Options["observeElementOffset"] = (list, report) => {
    this.#report = report;
    const stop = observeElementOffset(list, report);
    return () => {
      this.#report = undefined;
      stop?.();
    };
  };

  readonly scroll: Options["scrollToFn"] = (offset, options, list) => {
    elementScroll(offset, options, list);
    if (options.adjustments !== undefined) return; // which the list accounts for itself
    if (list.scrollElement) this.#report?.(list.scrollElement.scrollTop, false);
  };
}

/**
 * A row's exact height. The library's own measure rounds, and the rows of one
 * screen together would be several pixels away from where it expects them.
 */
function height(row: Element, entry: ResizeObserverEntry | undefined): number {
  return entry?.borderBoxSize[0]?.blockSize ?? row.getBoundingClientRect().height;
}

/** The rows in sight, and one more that has to stay in the document, wherever it is. */
export function rangeWith(kept: number): NonNullable<Options["rangeExtractor"]> {
  return (range) => {
    const indexes = defaultRangeExtractor(range);
    if (kept < 0 || kept >= range.count || indexes.includes(kept)) return indexes;
    return [...indexes, kept].sort((a, b) => a - b);
  };
}

/** Separates the run of rows that follow one another from one that was kept beside it. */
export function runOf(items: readonly VirtualItem[]): readonly VirtualItem[] {
  const follows = (i: number) => items[i]!.index === items[i - 1]!.index + 1;
  if (items.length > 1 && !follows(1)) return items.slice(1);
  if (items.length > 1 && !follows(items.length - 1)) return items.slice(0, -1);
  return items;
}
