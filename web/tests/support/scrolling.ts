import type { Page } from "playwright-core";
import { until } from "./wait.ts";

/** What one sees of the list, as soon as it has been that, and as it is wanted, for ten frames. */
export async function steady<T>(page: Page, look: () => Promise<T>, wanted = (_: T) => true): Promise<T> {
  let seen = await look();
  await until("the list to come to rest", async () => {
    await page.evaluate(async () => {
      for (let i = 0; i < 10; i++) await new Promise(requestAnimationFrame);
    });
    const before = JSON.stringify(seen);
    seen = await look();
    return wanted(seen) && JSON.stringify(seen) === before;
  });
  return seen;
}

/** Waits until the list has been where it is, as large as it is, for ten frames. */
export async function atRest(page: Page): Promise<void> {
  const list = page.locator(".scroller");
  await steady(page, () => list.evaluate(({ scrollTop, scrollHeight }) => [scrollTop, scrollHeight]));
}
