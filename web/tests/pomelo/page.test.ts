import { afterEach, expect, inject, test } from "vitest";
import { Beside } from "../support/beside.ts";
import { enter, openWindow, say, screenshot, shown } from "../support/browser.ts";
import { freePort, Server } from "../support/server.ts";
import { browser } from "../support/stage.ts";
import { until } from "../support/wait.ts";
import { Guest } from "./guest.ts";

/** Clients of pomelo that others wrote, with people in Parley's own page on another connector. */

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

test("people in the page and clients of pomelo talk, over a connector that is killed", async () => {
  const server = await Server.start(inject("binary"));
  stops.push(() => server.stop());
  const port = await freePort();
  const flags = ["--pomelo", `127.0.0.1:${port}`];
  const other = await Beside.start(server, flags);
  stops.push(() => other.kill());
  const { page, problems } = await openWindow(browser);
  await enter(page, server.url, "ada", "lobby");
  const guests = ["official", "multi", "pinus", "pypomelo"].map((library) => new Guest(library, `by-${library}`));
  for (const guest of guests) {
    stops.push(() => guest.stop());
    await guest.connect(port);
    expect(await guest.enter("lobby")).toContain("ada");
    await page.locator(".members .name", { hasText: guest.name }).waitFor({ state: "attached" });
  }
  const talk = async (of: string) => {
    await say(page, `é 😀 of ada ${of}`);
    for (const guest of guests) {
      expect(await guest.sees(`é 😀 of ada ${of}`)).toMatchObject({ from: "ada", target: "*" });
      await guest.says(`é 😀 of ${guest.name} ${of}`);
      await until("what it says", async () => (await shown(page)).includes(`é 😀 of ${guest.name} ${of}`));
    }
  };
  await talk("first");
  await guests[1]!.says("psst", "ada");
  await page.locator(".talks").getByRole("link", { name: guests[1]!.name }).click();
  await page.locator(".message", { hasText: "psst" }).waitFor();
  await page.locator("#channels").getByRole("link", { name: "lobby", exact: true }).click();
  await page.locator(".message", { hasText: "of ada first" }).waitFor();

  await other.kill();
  for (const guest of guests) await guest.cut();
  await say(page, "while they were away");
  await page.locator(".message.own:not(.pending)", { hasText: "while they were away" }).waitFor();
  const again = await Beside.start(server, flags);
  stops.push(() => again.kill());
  for (const guest of guests) {
    await guest.connect(port);
    await guest.enter("lobby");
    expect(await guest.sees("while they were away")).toMatchObject({ from: "ada", history: true });
  }
  await talk("again");
  await screenshot(page, "pomelo");
  expect(problems).toEqual([]);
});
