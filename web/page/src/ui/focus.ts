import type { RefObject } from "preact";
import { useEffect, useLayoutEffect } from "preact/hooks";

/**
 * Whoever uses the keyboard stays where they were: when the control that has
 * the focus goes away from a part of the page, the fallback in it takes over.
 */
export function useFocusKept(
  part: RefObject<HTMLElement | null>,
  fallback: RefObject<HTMLElement | null>,
): void {
  const had = part.current?.contains(document.activeElement) ?? false;
  useLayoutEffect(() => {
    if (had && document.activeElement === document.body) {
      fallback.current?.focus({ preventScroll: true });
    }
  });
}

/** What can take the focus over from a control within it. */
const PLACES = "[data-key], dialog, .scroller";

/**
 * Whoever uses the keyboard stays near: when the control that has the focus goes away,
 * the message or the dialog that it was part of takes over, or the list of messages.
 */
export function useFocusNear(): void {
  useEffect(() => {
    let last: Element | undefined;
    let places: HTMLElement[] = [];
    const remember = ({ target }: FocusEvent) => {
      last = target as Element;
      places = [];
      for (let place = last.closest<HTMLElement>(PLACES); place; ) {
        places.push(place);
        place = place.parentElement!.closest(PLACES);
      }
    };
    const observer = new MutationObserver(() => {
      if (!last || last.isConnected || document.activeElement !== document.body) return;
      last = undefined;
      // A closed dialog is still in the document, but cannot take the focus.
      const place = places.find((place) => place.checkVisibility()) ?? document.querySelector<HTMLElement>(".scroller");
      (place?.querySelector<HTMLElement>(":scope > article") ?? place)?.focus({ preventScroll: true });
    });
    document.addEventListener("focusin", remember);
    observer.observe(document.body, { childList: true, subtree: true });
    return () => {
      document.removeEventListener("focusin", remember);
      observer.disconnect();
    };
  }, []);
}
