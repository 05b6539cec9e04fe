import type { Page } from "playwright-core";
import { until } from "./wait.ts";

/** Waits until the list has been where it is, as large as it is, for ten frames. */
export function atRest(page: Page): Promise<void> {
  return until("the list to come to rest", () =>
    page.evaluate(async () => {
      const list = document.querySelector(".scroller")!;
      const where = () => `${list.scrollTop} of ${list.scrollHeight}`;
      const before = where();
      for (let i = 0; i < 10; i++) await new Promise(requestAnimationFrame);
      return where() === before;
    }),
  );
}
