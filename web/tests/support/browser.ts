import sparticuz from "@sparticuz/chromium";
import axe from "axe-core";
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { inject } from "vitest";

const web = fileURLToPath(new URL("../../", import.meta.url));
const cache = join(web, "node_modules/.cache");

/**
 * Unpacks the headless Chromium that came with npm, once: no root and no
 * system package is needed. Returns its folder.
 */
export async function unpackBrowser(): Promise<string> {
  const folder = join(cache, "chromium-147.0.0");
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(join(cache, "chromium-"));
  const before = process.env.TMPDIR;
  process.env.TMPDIR = temporary; // where the package unpacks to
  try {
    await sparticuz.executablePath();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
  const { resolve } = createRequire(import.meta.url);
  for (const font of [
    "noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf",
    "noto-color-emoji/400Regular/NotoColorEmoji_400Regular.ttf",
  ]) {
    cpSync(resolve(`@expo-google-fonts/${font}`), join(temporary, "fonts", basename(font)));
  }
  writeFileSync(
    join(temporary, "fonts/fonts.conf"),
    `<?xml version="1.0"?>
<fontconfig>
  <dir>${join(folder, "fonts")}</dir>
  <cachedir>${join(folder, "fonts-cache")}</cachedir>
</fontconfig>
`,
  );
  rmSync(folder, { recursive: true, force: true });
  renameSync(temporary, folder); // whole or not at all
  return folder;
}

/** A headless Chromium with the same fonts on every machine. */
export async function launchBrowser(): Promise<Browser> {
  const folder = inject("browser");
  return chromium.launch({
    executablePath: join(folder, "chromium"),
    // Its sandbox does not run as root; all it is shown is this project's page.
    args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"],
    env: { ...process.env, FONTCONFIG_PATH: join(folder, "fonts") },
  });
}

/** A window of its own person, with everything that went wrong in it. */
export async function openWindow(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; problems: string[] }> {
  const context = await browser.newContext({
    viewport: { width: 1200, height: 760 },
    locale: "en-GB",
    reducedMotion: "reduce",
    ...options,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    // A connection that was cut on purpose is reported here by the browser.
    const text = message.text();
    if (message.type() === "error" && !text.includes("WebSocket connection")) problems.push(text);
  });
  return { page, problems };
}

/** Enters a channel as a person does. */
export async function enter(page: Page, url: string, user: string, channel: string): Promise<void> {
  await page.goto(url);
  await page.getByLabel("Your name").fill(user);
  await page.getByLabel("Channel", { exact: true }).fill(channel);
  await page.getByRole("button", { name: "Enter" }).click();
  await page.locator(".members .name", { hasText: user }).first().waitFor({ state: "attached" });
}

/** Writes a message as a person does. */
export async function say(page: Page, text: string): Promise<void> {
  await page.locator("#composer").fill(text);
  await page.locator("#composer").press("Enter");
}

/** Leaves the channel that is shown, as a person does. */
export async function leave(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Channel options" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Leave channel" }).click();
}

/** The messages in the document, in their order. */
export async function shown(page: Page): Promise<string[]> {
  return page.locator(".message .body").allTextContents();
}

/** The findings of axe, as text: the serious ones, or every one. */
export async function findings(page: Page, every = false): Promise<string[]> {
  await page.evaluate(axe.source); // by the debugger, which the page's policy does not bind
  const { violations } = await page.evaluate(() => (window as any).axe.run());
  return (violations as axe.Result[])
    .filter(({ impact }) => every || impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

/** Keeps a picture of the page beside the test results. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const output = join(web, "test-output");
  mkdirSync(output, { recursive: true });
  await page.screenshot({ path: join(output, `${name}.png`) });
}
