import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openWindow, say, shown } from "../support/browser.ts";
import { repository } from "../support/server.ts";
import { browser } from "../support/stage.ts";
import { until } from "../support/wait.ts";
import { Receiver } from "./receiver.ts";

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

/** Kills the first process of a service's containers at once, as a crash would: the engine starts them again. */
async function crash(service: string, count: number): Promise<void> {
  const ids = ((await containers()).get(service) ?? []).slice(0, count);
  expect(ids, service).toHaveLength(count);
  const first = (id: string) => docker("inspect", "--format", "{{.State.Running}} {{.State.Pid}}", id);
  const before = await Promise.all(ids.map(first));
  for (const state of before) process.kill(Number(state.split(" ")[1]), "SIGKILL");
  await until(`${service} runs again`, async () => {
    const now = await Promise.all(ids.map(first));
    return now.every((state, i) => state.startsWith("true") && state !== before[i]);
  }, 120_000);
}

/** Waits until each container is healthy. */
async function healthy(): Promise<void> {
  await until("every container is healthy", async () => {
    const ids = [...(await containers()).values()].flat();
    const states = (await docker("inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", ...ids)).split("\n");
    return states.every((state) => state === "running healthy");
  }, 240_000);
}

/** Logs in on the site as a person does, which leads to the lobby. */
async function logIn(page: Page, user: string, url: string, password: string): Promise<void> {
  await page.goto(`${url}/auth/login`);
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL((to) => to.pathname === "/");
  await page.locator(".members .name", { hasText: user }).first().waitFor({ state: "attached" });
}

/** Somebody in a window of their own. */
async function somebody(user: string, url: string, password: string): Promise<Page> {
  const { page } = await openWindow(browser, {
    ignoreHTTPSErrors: true, // the certificate is this machine's own
    viewport: { width: 1200, height: 2000 }, // messages out of sight are not in the document
  });
  await logIn(page, user, url, password);
  return page;
}

const arrives = (page: Page, text: string) =>
  page.locator(".message .body", { hasText: text }).first().waitFor({ timeout: 240_000 });

/** What is at an address that `make up` prints. */
function printed(said: string, pattern: RegExp): string {
  const found = pattern.exec(said);
  if (!found) throw new Error(`no ${pattern} in:\n${said}`);
  return found[1]!;
}

/** Writes a command to Kafka, by the program in docs/ingest.md: somebody's words in the lobby. */
async function command(text: string, kafka: string): Promise<void> {
  const program = /```go\n([^]*?)```/.exec(readFileSync(join(repository, "docs/ingest.md"), "utf8"))![1]!;
  const file = join(data, "main.go");
  writeFileSync(file, program.replaceAll("orders/17", "lobby").replace("from Go", text).replace("order-17-go", text.replaceAll(" ", "-")));
  await run("go", ["run", file], { cwd: repository, env: { ...process.env, KAFKA: kafka } });
}

let receiver: Receiver;

beforeAll(async () => {
  await run("docker", ["info"]);
  receiver = await Receiver.start();
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

// Containers and volumes end with the engine.
afterAll(() => {
  receiver.close();
  rmSync(data, { recursive: true, force: true });
});

test("from nothing to two people who chat, whatever part is killed, and back with the data", async () => {
  let began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  const said = await make("up", "STACK=docker", "PORT=0", "COMPOSE_PROFILES=hooks,ingest", `PARLEY_URL=http://host.docker.internal:${receiver.port}/`);
  console.log(`ready after ${seconds()}, the image built`);
  const url = printed(said, /chat +(https:\S+)/);
  const secrets = printed(said, /password in (\S+)\/password\)/);
  const password = readFileSync(join(secrets, "password"), "utf8").trim();
  receiver.secret = readFileSync(join(secrets, "hooks.secret"), "utf8").trim();
  expect((await fetch(printed(said, /Jaeger +(http:\S+)/))).status).toBe(200);

  const ada = await somebody("ada", url, password);
  const bob = await somebody("bob", url, password);
  const want: string[] = [];
  const chat = async (text: string) => {
    want.push(`${text}?`, `${text}!`);
    await say(ada, `${text}?`);
    await arrives(bob, `${text}?`);
    await say(bob, `${text}!`);
    await arrives(ada, `${text}!`);
  };
  const kafka = printed(said, /Kafka +(\S+)/);
  const order = async (text: string) => {
    want.push(text);
    await command(text, kafka);
    await arrives(ada, text);
    await arrives(bob, text);
  };
  const told = () => until("the receiver has every message", () => receiver.texts.length >= want.length, 120_000);
  await chat("hello");
  await order("a command");
  await told();
  expect(receiver.events).toEqual(expect.arrayContaining(["occupied", "join"]));

  for (const [service, count] of [
    ["kafka", 1],
    ["clickhouse", 1],
    ["chatworker", 1],
    ["projector", 1],
    ["connector-1", 1],
    ["connector-2", 1],
    ["lb", 1],
    ["jaeger", 1],
    ["hooks", 1],
    ["ingest", 1],
    ["chatworker", 2],
    ["token-endpoint", 1], // last: the example keeps logins in memory
  ] as const) {
    began = Date.now();
    await crash(service, count);
    await chat(`after ${count} × ${service}`);
    const chats = seconds();
    await healthy();
    console.log(`${count} × ${service} killed: chat goes on after ${chats}, all is healthy after ${seconds()}`);
    if (service === "ingest") await order("another command");
  }
  expect(await shown(ada)).toEqual(want);
  expect(await shown(bob)).toEqual(want);
  await told();
  expect(receiver.texts).toEqual(want);

  began = Date.now();
  await make("down");
  console.log(`stopped after ${seconds()}`);
  expect([...(await containers()).keys()]).toEqual([]);
  began = Date.now();
  expect(printed(await make("up", "STACK=docker"), /chat +(https:\S+)/)).toBe(url);
  console.log(`ready after ${seconds()}, the image there`);
  for (const [page, user] of [[ada, "ada"], [bob, "bob"]] as const) await logIn(page, user, url, password);
  const cyd = await somebody("cyd", url, password);
  await arrives(cyd, want.at(-1)!);
  expect(await shown(cyd)).toEqual(want);
  await chat("and on");

  await make("down");
  await make("clean-data", "STACK=docker", "CONFIRM=yes");
  expect(await docker("volume", "ls", "--quiet", "--filter", "label=com.docker.compose.project")).toBe("");
});
