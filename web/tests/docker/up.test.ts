import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { enter, openWindow, say, shown } from "../support/browser.ts";
import { browser } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** The image of a release that holds everything, as the README starts it. */

const run = promisify(execFile);
const docker = async (...args: string[]) => (await run("docker", args)).stdout.trim();
const url = "http://127.0.0.1:18080";

const start = () => docker("run", "--detach", "--publish", "127.0.0.1:18080:8080", "--volume", "parley-up-test:/data", "parley:test", "up", "--listen", "0.0.0.0:8080", "--open");

const healthy = (id: string) =>
  until("the container is healthy", async () => (await docker("inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", id)) === "running healthy", 120_000);

beforeAll(async () => {
  await run("docker", ["info"]);
});

// Containers and volumes end with the engine.
afterAll(async () => {
  for (const id of (await docker("ps", "--quiet", "--filter", "ancestor=parley:test")).split("\n").filter(Boolean)) await docker("kill", id);
});

test("one command starts a chat, which stops in order and keeps its messages", async () => {
  const first = await start();
  await healthy(first);
  const { page } = await openWindow(browser);
  await enter(page, url, "ada", "lobby");
  await say(page, "said in a container");
  await page.locator(".message .body", { hasText: "said in a container" }).waitFor();
  await docker("stop", "--time", "30", first);
  expect(await docker("inspect", "--format", "{{.State.ExitCode}}", first)).toBe("0");

  const second = await start();
  await healthy(second);
  await page.reload();
  await page.locator(".message .body", { hasText: "said in a container" }).waitFor({ timeout: 60_000 });
  expect(await shown(page)).toEqual(["said in a container"]);
});
