import type { Virtualizer } from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Anchor } from "../state/reading.ts";

type List = Virtualizer<HTMLDivElement, HTMLDivElement>;

/** Where one is in the list: at its end, or at a row, which is the first in sight as a whole. */
interface Place {
  atEnd: boolean;
  index: number | undefined;
}

/** Where one is in a list that goes away: at the first message in sight as a whole, or at the end. */
export function anchorIn(scroller: HTMLElement, nearEnd: number): Anchor | undefined {
  const { scrollHeight, scrollTop, clientHeight } = scroller;
  if (scrollHeight - scrollTop - clientHeight <= nearEnd) return undefined;
  const below = (row: Element) => row.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
  const rows = [...scroller.querySelectorAll<HTMLElement>("[data-key]:has(article)")];
  const row = rows.find((row) => below(row) >= 0) ?? rows.at(-1);
  return row && { key: row.dataset.key!, below: below(row) };
}

/**
 * Keeps what one reads in sight, or the end of the list, when the list's own size
 * changes: a longer draft or a keyboard makes it lower, and on a phone that is turned
 * all of its rows have other heights, which `refit` has estimated again.
 */
export function usePlaceKept(
  scroller: RefObject<HTMLDivElement | null>,
  list: List,
  refit: (element: HTMLElement) => void,
  nearEnd: number,
): void {
  const place = useRef<Place | undefined>(undefined);
  /** Where one was before a turn, until the rows are drawn in their new heights. */
  const before = useRef<Place | undefined>(undefined);
  const width = useRef<number | undefined>(undefined);
  useLayoutEffect(() => {
    const { atEnd, index } = before.current ?? {};
    before.current = undefined;
    if (atEnd) list.scrollToEnd();
    else if (index !== undefined) list.scrollToIndex(index, { align: "start" });
    // Between a turn and what follows from it the rows are not where one was: the
    // page has its new size first, the list hears of it next, and lays out its rows.
    const widths = [scroller.current?.offsetWidth, list.scrollRect?.width];
    if (widths.every((is) => is === width.current)) place.current = placeIn(list, nearEnd);
  });
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    let height = element.clientHeight;
    width.current = element.offsetWidth;
    const observer = new ResizeObserver(() => {
      if (!element.isConnected) return;
      const turned = element.offsetWidth !== width.current;
      const atEnd = element.scrollHeight - element.scrollTop - height <= nearEnd;
      height = element.clientHeight;
      if (!turned) return atEnd && list.scrollToEnd();
      width.current = element.offsetWidth;
      before.current = place.current ?? { atEnd, index: undefined };
      refit(element);
      list.measure();
      for (const row of element.querySelectorAll<HTMLDivElement>("[data-index]")) list.measureElement(row);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
}

function placeIn(list: List, nearEnd: number): Place {
  const offset = list.scrollOffset ?? 0;
  const items = list.getVirtualItems();
  const first = items.find(({ start }) => start >= offset - 1) ?? items.at(-1);
  return { atEnd: list.isAtEnd(nearEnd), index: first?.index };
}
