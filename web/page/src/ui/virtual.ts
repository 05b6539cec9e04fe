import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
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
  const all: Options = {
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
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
 * A row's exact height. The library's own measure rounds, and the rows of one
 * screen together would be several pixels away from where it believes them.
 */
function height(row: Element, entry: ResizeObserverEntry | undefined): number {
  return entry?.borderBoxSize[0]?.blockSize ?? row.getBoundingClientRect().height;
}
