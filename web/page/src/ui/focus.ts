import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

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
