import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, findings, openWindow, say } from "../support/browser.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/**
 * What Lighthouse looks for, in the browser of these tests: performance,
 * accessibility, best practices, and whether the page can be installed.
 */

const phone = { viewport: { width: 412, height: 823 }, hasTouch: true, isMobile: true };

interface Moments {
  fcp: number;
  lcp: number;
  /** Cumulative layout shift. */
  cls: number;
  /** What the largest shift moved. */
  moved: string;
}

/** Collects what browsers measure of a page, from before it begins. */
function measure(): void {
  const found: Moments = ((window as any).moments = { fcp: 0, lcp: 0, cls: 0, moved: "" });
  const watch = (type: string, each: (entry: any) => void) =>
    new PerformanceObserver((list) => list.getEntries().forEach(each)).observe({ type, buffered: true });
  watch("paint", ({ name, startTime }) => {
    if (name === "first-contentful-paint") found.fcp = startTime;
  });
  watch("largest-contentful-paint", ({ startTime }) => (found.lcp = startTime));
  watch("layout-shift", ({ value, hadRecentInput, sources }) => {
    if (hadRecentInput) return;
    found.cls += value;
    found.moved += sources.map(({ node }: { node?: Element }) => node?.parentElement?.outerHTML.slice(0, 80)).join();
  });
}

/** What the browser itself finds wrong: mixed content, deprecated features, blocked frames, bad cookies. */
async function issuesOf(page: Page): Promise<string[]> {
  const issues: string[] = [];
  const session = await page.context().newCDPSession(page);
  session.on("Audits.issueAdded", ({ issue }) => issues.push(JSON.stringify(issue)));
  await session.send("Audits.enable");
  return issues;
}

test("what Lighthouse looks for", async () => {
  const channel = fresh("audits");
  const bob = await somebody("bob").join(channel, { maxPending: 5000 });
  for (let i = 0; i < 30; i++) await bob.send(`message ${i}`);
  const { page, problems } = await openWindow(browser, phone);
  const issues = await issuesOf(page);
  const responses: { url: string; cache: string; coding: string; length: number }[] = [];
  page.on("response", async (response) => {
    const { "cache-control": cache = "", "content-encoding": coding = "" } = response.headers();
    const length = (await response.body().catch(() => Buffer.alloc(0))).length;
    responses.push({ url: response.url(), cache, coding, length });
  });
  await page.addInitScript(measure);
  await enter(page, inject("server"), "ada", channel);
  await page.locator(".message", { hasText: "message 29" }).waitFor();
  await say(page, "and one of mine");
  await page.locator(".message.own:not(.pending)").waitFor();
  // As somebody comes back to it: the channel is the first thing that is drawn.
  await page.reload();
  await page.locator(".message", { hasText: "and one of mine" }).waitFor();
  await until("the largest paint", () => page.evaluate(() => (window as any).moments.lcp > 0));
  const { fcp, lcp, cls, moved } = await page.evaluate((): Moments => (window as any).moments);
  const nodes = await page.locator("*").count();
  console.log(`figure: first contentful paint, ms: ${Math.round(fcp)}`);
  console.log(`figure: largest contentful paint, ms: ${Math.round(lcp)}`);
  console.log(`figure: cumulative layout shift (limit 0.1): ${cls.toFixed(3)}`);
  console.log(`figure: elements in the document (limit 800): ${nodes}`);
  expect(cls, moved).toBeLessThanOrEqual(0.1);
  expect(nodes).toBeLessThanOrEqual(800);

  // Text is compressed, and what has a hash in its name is never asked for again.
  await until("the bodies", () => responses.some(({ url }) => url.endsWith(".css")));
  const plain = responses.filter(({ url, coding, length }) => /\.(js|css)$/.test(url) && length > 1024 && coding !== "gzip");
  expect(plain).toEqual([]);
  const asked = responses.filter(({ url, cache }) => url.includes("/assets/") && !cache.includes("immutable"));
  expect(asked).toEqual([]);

  const said = await page.evaluate(() => ({
    doctype: document.doctype?.name,
    mode: document.compatMode,
    charset: document.characterSet,
    lang: document.documentElement.lang,
    title: document.title !== "",
    description: document.querySelector<HTMLMetaElement>("meta[name=description]")?.content !== "",
    zoom: /user-scalable|maximum-scale/.test(document.querySelector<HTMLMetaElement>("meta[name=viewport]")!.content),
    secure: isSecureContext,
    foreign: performance.getEntriesByType("resource").filter(({ name }) => !name.startsWith(location.origin)).length,
  }));
  expect(said).toEqual({
    doctype: "html",
    mode: "CSS1Compat",
    charset: "UTF-8",
    lang: "en",
    title: true,
    description: true,
    zoom: false,
    secure: true,
    foreign: 0,
  });
  const found = await findings(page, true);
  console.log(`figure: findings of axe (limit 0): ${found.length}`);
  console.log(`figure: what the browser reports as issues or errors (limit 0): ${issues.length + problems.length}`);
  expect(found).toEqual([]);
  expect(issues).toEqual([]);
  expect(problems).toEqual([]);

  await page.evaluate(() => navigator.serviceWorker.ready);
  const session = await page.context().newCDPSession(page);
  const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
  // Tests have a window of nobody's: no browser installs from there.
  expect(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito")).toEqual([]);
});
