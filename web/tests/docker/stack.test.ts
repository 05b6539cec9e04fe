import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { enter, openWindow, say, shown } from "../support/browser.ts";
import { repository } from "../support/server.ts";
import { browser } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** The docker stack, on an engine: scripts/test-docker.sh starts one for it. */

const run = promisify(execFile);
const data = mkdtempSync(join(tmpdir(), "parley-docker-data-"));

/** Carries out a target of make as its user does, and returns what it prints. */
async function make(target: string, ...settings: string[]): Promise<string> {
  const env: NodeJS.ProcessEnv = { ...process.env, MAKEFLAGS: "", MAKELEVEL: "" };
  const { stdout } = await run("make", ["--no-print-directory", target, ...settings, `DATA=${data}`], { cwd: repository, env });
  return stdout;
}

async function docker(...args: string[]): Promise<string> {
  return (await run("docker", args)).stdout.trim();
}

/** The containers of the stack, by service. */
async function containers(): Promise<Map<string, string[]>> {
  const lines = await docker("ps", "--all", "--filter", "label=com.docker.compose.project", "--format", '{{.ID}} {{.Label "com.docker.compose.service"}}');
  const found = new Map<string, string[]>();
  for (const line of lines.split("\n").filter(Boolean)) {
    const [id, service] = line.split(" ") as [string, string];
    found.set(service, [...(found.get(service) ?? []), id]);
  }
  return found;
}

/** Kills the first process of a service's containers, as a crash would: the engine starts it again. */
async function crash(service: string, count: number): Promise<void> {
  for (const id of ((await containers()).get(service) ?? []).slice(0, count)) {
    const pid = Number(await docker("inspect", "--format", "{{.State.Pid}}", id));
    process.kill(pid, "SIGKILL");
    await until(`${service} runs again`, async () => {
      const [running, now] = (await docker("inspect", "--format", "{{.State.Running}} {{.State.Pid}}", id)).split(" ");
      return running === "true" && Number(now) !== pid;
    }, 120_000);
  }
}

/** Waits until each container is healthy. */
async function healthy(): Promise<void> {
  await until("every container is healthy", async () => {
    const ids = [...(await containers()).values()].flat();
    const states = (await docker("inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", ...ids)).split("\n");
    return states.every((state) => state === "running healthy");
  }, 240_000);
}

const arrives = (page: Page, text: string) =>
  page.locator(".message .body", { hasText: text }).first().waitFor({ timeout: 240_000 });

/** What is at an address that `make up` prints. */
function printed(said: string, pattern: RegExp): string {
  const found = pattern.exec(said);
  if (!found) throw new Error(`no ${pattern} in:\n${said}`);
  return found[1]!;
}

beforeAll(async () => {
  await run("docker", ["info"]);
});

afterEach(async ({ task }) => {
  if (task.result?.state !== "fail") return;
  for (const [service, ids] of await containers()) {
    for (const id of ids) {
      const { stdout, stderr } = await run("docker", ["logs", "--timestamps", "--tail", "40", id]);
      console.log(`${service}: ${await docker("inspect", "--format", "{{json .State}}", id)}\n${stdout}${stderr}`);
    }
  }
});

afterAll(async () => {
  await make("clean-data", "STACK=docker", "CONFIRM=yes");
  await make("down", "STACK=docker");
  rmSync(data, { recursive: true, force: true });
});

test("from nothing to two people who chat, whatever part is killed, and back with the data", async () => {
  let began = Date.now();
  const said = await make("up", "STACK=docker", "PORT=0");
  console.log(`ready after ${(Date.now() - began) / 1000} s, the image built`);
  const url = printed(said, /chat +(http:\S+)/);
  expect((await fetch(printed(said, /Jaeger +(http:\S+)/))).status).toBe(200);

  const ada = await openWindow(browser);
  const bob = await openWindow(browser);
  await enter(ada.page, url, "ada", "lobby");
  await enter(bob.page, url, "bob", "lobby");
  const want: string[] = [];
  const chat = async (text: string) => {
    want.push(`${text}?`, `${text}!`);
    await say(ada.page, `${text}?`);
    await arrives(bob.page, `${text}?`);
    await say(bob.page, `${text}!`);
    await arrives(ada.page, `${text}!`);
  };
  await chat("hello");

  for (const [service, count] of [
    ["kafka", 1],
    ["clickhouse", 1],
    ["chatworker", 1],
    ["projector", 1],
    ["connector-1", 1],
    ["connector-2", 1],
    ["lb", 1],
    ["jaeger", 1],
    ["chatworker", 2],
  ] as const) {
    began = Date.now();
    await crash(service, count);
    await chat(`after ${count} × ${service}`);
    console.log(`${count} × ${service}: chat goes on after ${(Date.now() - began) / 1000} s`);
    await healthy();
  }
  expect(await shown(ada.page)).toEqual(want);
  expect(await shown(bob.page)).toEqual(want);

  await make("down");
  expect([...(await containers()).keys()]).toEqual([]);
  began = Date.now();
  expect(printed(await make("up", "STACK=docker"), /chat +(http:\S+)/)).toBe(url);
  console.log(`ready after ${(Date.now() - began) / 1000} s, the image there`);
  const cyd = await openWindow(browser);
  await enter(cyd.page, url, "cyd", "lobby");
  await arrives(cyd.page, want.at(-1)!);
  expect(await shown(cyd.page)).toEqual(want);
  await chat("and on");
  console.log(await docker("images", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}"));
});
