import { expect, test } from "vitest";
import { openWindow, screenshot } from "../support/browser.ts";
import { enterAs, memberOf, unexpected } from "../support/guarded.ts";
import { everything, tokenOf } from "../support/site.ts";
import { browser, fresh } from "../support/stage.ts";

/** Who is typing. */

test("who is typing is shown until they have sent it, or have stopped for 6 s", async () => {
  const channel = fresh("typing");
  const windows = await Promise.all([openWindow(browser), openWindow(browser)]);
  const [ada, bob] = windows.map(({ page }) => page);
  await enterAs(ada!, tokenOf("ada", 600), channel);
  await enterAs(bob!, tokenOf("bob", 600), channel);
  const field = bob!.locator("#composer");
  const line = ada!.locator(".typing").getByText("bob is typing…");
  await field.pressSequentially("hel");
  await line.waitFor();
  await screenshot(ada!, "typing");
  expect(await bob!.locator(".typing").textContent()).toBe("");
  await field.press("Enter");
  await line.waitFor({ state: "detached" });
  await field.pressSequentially("more");
  await line.waitFor();
  await line.waitFor({ state: "detached" });
  const all = windows.flatMap(({ problems }) => problems);
  expect(all.filter(unexpected)).toEqual([]);
});

test("it is said again every 3 s, and not of what is for one person alone", async () => {
  const channel = fresh("typing");
  const { page } = await openWindow(browser);
  await enterAs(page, tokenOf("bob", 600), channel);
  const carl = await memberOf("carl", channel, everything);
  const dora = await memberOf("dora", channel, everything);
  const times: number[] = [];
  carl.on("signal", ({ user, name }) => user === "bob" && name === "typing" && times.push(Date.now()));
  const field = page.locator("#composer");
  const end = Date.now() + 7_500;
  while (Date.now() < end) await field.press("x", { delay: 50 });
  expect(times.length).toBeGreaterThanOrEqual(2);
  expect(times.length).toBeLessThanOrEqual(3);

  for (const [i, channel] of [carl, dora].entries()) {
    await channel.signal("typing");
    await page.locator(".typing").getByText(["carl is typing…", "carl and dora are typing…"][i]!).waitFor();
  }
  const before = times.length;
  await page.locator("#members button.name", { hasText: "carl" }).click();
  for (let i = 0; i < 40; i++) await field.press("y", { delay: 100 });
  await carl.send("did anything come?");
  await page.locator("#channels .badge").waitFor();
  expect(times.length).toBe(before);
});
