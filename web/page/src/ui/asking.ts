import type { ParleyError } from "@parley-chat/sdk";
import { useEffect, useRef } from "preact/hooks";

/** When what could not be read is asked for again, in milliseconds. */
const AGAIN = 3_000;

/**
 * Reads what a view shows, again and again while that is refused. Only the newest
 * question counts, and none once the view is gone.
 */
export function useAsking() {
  const newest = useRef(0);
  useEffect(() => () => void newest.current++, []);
  return <T>(read: () => Promise<T>, answered: (answer: T) => void, refused: (error: ParleyError) => void) => {
    const asked = ++newest.current;
    const ask = (): unknown =>
      read().then(
        (answer) => asked === newest.current && answered(answer),
        (error) => {
          if (asked !== newest.current) return;
          refused(error);
          setTimeout(() => asked === newest.current && ask(), AGAIN);
        },
      );
    ask();
  };
}
