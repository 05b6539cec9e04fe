import type { Page } from "playwright-core";

/** Whether the focus is at what a selector means. */
export function focusAt(page: Page, selector: string): Promise<boolean> {
  return page.evaluate((selector) => document.activeElement!.matches(selector), selector);
}

/** Presses a key until the focus is at what a selector means, once it is there. */
export async function tabTo(page: Page, selector: string, key = "Tab"): Promise<void> {
  await page.locator(selector).first().waitFor({ state: "attached" });
  for (let i = 0; i < 30; i++) {
    if (await focusAt(page, selector)) return;
    await page.keyboard.press(key);
  }
  throw new Error(`${key} does not lead to ${selector}`);
}
