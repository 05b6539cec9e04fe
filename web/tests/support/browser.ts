import chromium from "@sparticuz/chromium";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium as playwright, type Browser, type Page } from "playwright-core";

const output = fileURLToPath(new URL("../../test-output/", import.meta.url));

/** A headless Chromium that came with npm: no root and no system package. */
export async function launchBrowser(): Promise<Browser> {
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    // Its own flags are made for a sandbox without processes; one each is what people have.
    args: chromium.args.filter((arg) => arg !== "--single-process" && arg !== "--no-zygote"),
  });
}

/** Keeps a picture of the page beside the test results. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(output, { recursive: true });
  await page.screenshot({ path: `${output}${name}.png` });
}
