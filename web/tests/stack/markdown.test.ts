import type { Page } from "playwright-core";
import { expect, inject, test } from "vitest";
import { enter, findings, openWindow, screenshot } from "../support/browser.ts";
import { browser, fresh, somebody } from "../support/stage.ts";
import { until } from "../support/wait.ts";

const CODE = "func main() {\n\tfmt.Println(\"**not bold**\")\n}";
const TEXTS = [
  "plain words",
  "**bold**, *italic*, ~~gone~~ and `code`, see [the page](https://a.example/x) or https://a.example/a_b_c",
  "> to be\n> or not\n\n- one\n- two\n  - within two\n\n3. three\n4. four",
  `This one:\n\`\`\`go\n${CODE}\n\`\`\`\nworks.`,
  "[x](javascript:alert(1)) <b onclick=alert(1)>html</b> <img src=x onerror=alert(1)>",
  "\u202eright **to** left\u202c and back",
];

async function said(name: string, texts: readonly string[]): Promise<string> {
  const channel = fresh(name);
  const room = await somebody("bob").join(channel);
  for (const text of texts) await room.send(text);
  return channel;
}

const heights = (page: Page) =>
  page.locator(".message .body").evaluateAll((all) => all.map((body) => body.getBoundingClientRect().height));

test("what is written as Markdown is shown as that, and nothing of it as HTML", async () => {
  const channel = await said("markdown", TEXTS);
  const { page, problems } = await openWindow(browser);
  await enter(page, inject("server"), "ada", channel);
  const body = (text: string) => page.locator(".message .body", { hasText: text });
  await body("bold").locator("strong").waitFor();
  expect(await body("italic").locator("em, del, code").allTextContents()).toEqual(["italic", "gone", "code"]);
  const links = body("italic").locator("a");
  expect(await links.evaluateAll((all) => all.map((a) => a.getAttribute("href")))).toEqual([
    "https://a.example/x",
    "https://a.example/a_b_c",
  ]);
  expect(await body("to be").locator("blockquote").innerText()).toBe("to be\nor not");
  expect(await body("to be").locator("li").count()).toBe(5);
  expect(await body("to be").locator("ol > li").first().getAttribute("value")).toBe("3");
  expect(await page.locator(".body b, .body img, .body [onclick], .body a[href^=javascript]").count()).toBe(0);
  expect(await page.locator(".fence code").textContent()).toBe(CODE);
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "markdown");
  await page.emulateMedia({ colorScheme: "dark" });
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "markdown-dark");
  await page.setViewportSize({ width: 320, height: 700 });
  expect(await findings(page)).toEqual([]);
  await screenshot(page, "markdown-phone");
  expect(problems).toEqual([]);
});

test("code is copied by its button", async () => {
  const channel = await said("code", TEXTS);
  const { page } = await openWindow(browser, { permissions: ["clipboard-read", "clipboard-write"] });
  await enter(page, inject("server"), "ada", channel);
  const button = page.getByRole("button", { name: "Copy code" });
  await button.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Copied" }).waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(CODE);
});

test("nothing moves when the parser comes late, and without it texts stay as written", async () => {
  // An address that a link hides is as long as it is.
  const texts = TEXTS.filter((text) => !text.includes("]("));
  const channel = await said("late", [...texts, "**bold**"]);
  const { page } = await openWindow(browser);
  let come = () => {};
  const late = new Promise<void>((resolve) => (come = resolve));
  await page.route("**/markdown-*.js", async (route) => {
    await late;
    await route.continue();
  });
  await enter(page, inject("server"), "ada", channel);
  await until("all as they are", async () => (await heights(page)).length === texts.length + 1);
  expect(await page.locator(".body").nth(1).textContent()).toBe(texts[1]);
  const before = await heights(page);
  come();
  await page.locator(".body strong").first().waitFor();
  const after = await heights(page);
  for (const [i, height] of after.entries()) expect(Math.abs(height - before[i]!), texts[i]).toBeLessThanOrEqual(2);
});

test("where a message is shown in a line, or read out, it is without its marks", async () => {
  const channel = fresh("lines");
  const room = await somebody("bob").join(channel);
  const cyd = await somebody("cyd").join(channel);
  const text = "> Shall we meet\n\n- **tomorrow**,\n- `now` *or* [here](https://a.example/x)? 2 * 3_4";
  const { seq } = await room.send(text);
  // What is answered may be far back, and nothing else in sight have marks.
  for (let i = 0; i < 150; i++) await room.send(`plain ${i}`);
  await cyd.send("here", { reply: seq! });
  const { page, problems } = await openWindow(browser);
  await enter(page, inject("server"), "ada", channel);
  const plain = "Shall we meet tomorrow, now or here? 2 * 3_4";
  await page.locator(".quote .excerpt").getByText(plain, { exact: true }).waitFor();
  await page.getByRole("button", { name: `Reply to bob: ${plain}`, exact: true }).waitFor();
  await room.send(text);
  await page.getByRole("log").getByText(`bob: ${plain}`, { exact: true }).waitFor({ state: "attached" });
  // It may be read out before it is drawn.
  const drawn = page.locator(".message", { has: page.locator(".body", { hasText: "Shall we meet" }) });
  await drawn.locator(".more").click({ force: true });
  await page.getByRole("dialog").getByRole("button", { name: "Reply", exact: true }).click();
  await page.locator("#composer-about .excerpt").getByText(plain, { exact: true }).waitFor();
  expect(problems).toEqual([]);
});
