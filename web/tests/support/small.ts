import type { Page } from "playwright-core";
import { expect } from "vitest";
import { findings, screenshot } from "./browser.ts";

/** The smallest screens that the page is for: a phone, and one of 1280 by 1024 at 400 %. */
const screens = [
  { width: 320, height: 640 },
  { width: 320, height: 256 },
];

/**
 * What is shown is usable on the smallest screens too: axe finds nothing, nothing is wider
 * than they are, every control can be seen, and messages have room. It is as before then.
 */
export async function lookSmall(page: Page, name: string): Promise<void> {
  const size = page.viewportSize()!;
  for (const screen of screens) {
    const what = `${name} at ${screen.width} by ${screen.height}`;
    await resize(page, screen);
    await screenshot(page, what.replaceAll(" ", "-"));
    expect.soft(await findings(page, true), what).toEqual([]);
    expect.soft(await page.evaluate(trouble), what).toEqual([]);
  }
  await resize(page, size);
}

/** Waits until what follows from another size was drawn. */
async function resize(page: Page, size: { width: number; height: number }): Promise<void> {
  await page.setViewportSize(size);
  await page.waitForFunction((size) => innerWidth === size.width && innerHeight === size.height, size);
  await page.evaluate(async () => {
    for (let i = 0; i < 6; i++) await new Promise(requestAnimationFrame);
  });
}

/** In the page: the controls that cannot be brought into sight, and what has no room. */
function trouble(): string[] {
  const told: string[] = [];
  for (const part of document.querySelectorAll("html, .chat, main, .side, .composer, dialog[open]")) {
    if (part.scrollWidth > part.clientWidth) told.push(`${part.localName}.${part.className}: wider than it shows`);
  }
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (dialog && !dialog.checkVisibility()) told.push("the dialog cannot be seen");
  const list = document.querySelector(".scroller");
  if (!dialog && list && list.clientHeight < 66) told.push(`${list.clientHeight} px for messages`);
  const controls = "button, a[href], input, select, textarea, summary, [tabindex='0']";
  for (const control of (dialog ?? document).querySelectorAll<HTMLElement>(controls)) {
    if (control.closest("[inert], .scroller") || !control.checkVisibility({ visibilityProperty: true })) continue;
    control.scrollIntoView({ block: "nearest", inline: "nearest" });
    const { left, right, top, bottom } = control.getBoundingClientRect();
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    if (control.contains(hit) || (hit && hit.closest("label")?.control === control)) continue;
    told.push(`out of sight: ${control.outerHTML.slice(0, 120)}, below ${hit?.outerHTML.slice(0, 60)}`);
  }
  return told;
}
