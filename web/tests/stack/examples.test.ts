import { Client } from "@parley-chat/sdk";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import WebSocket from "ws";
import { launchBrowser, openWindow } from "../support/browser.ts";
import { repository, Server } from "../support/server.ts";
import { until } from "../support/wait.ts";

const run = promisify(execFile);
const web = fileURLToPath(new URL("../../", import.meta.url));
const examples = join(repository, "examples");
let folder: string;
let client: Client;
let bot: ChildProcess | undefined;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-examples-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

afterEach(async () => {
  client?.close();
  if (bot && bot.exitCode === null && bot.signalCode === null) {
    const exited = new Promise((resolve) => bot!.once("exit", resolve));
    bot.kill();
    await exited;
  }
  bot = undefined;
});

const socket = () => inject("server").replace("http", "ws") + "/ws";

function start(command: string, args: string[], cwd: string, env = {}): void {
  bot = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: "inherit" });
}

/** Says something where a bot is, and returns what it answers. */
async function ask(channel: string, name: string, question: string): Promise<string> {
  client = new Client({ url: inject("server"), user: "ada", WebSocket });
  const room = await client.join(channel);
  await until(`${name} to be there`, () => room.members.includes(name));
  const answer = new Promise<string>((resolve) => {
    room.on("message", ({ user, body }) => user === name && resolve(body));
  });
  await room.send(question);
  return answer;
}

/** The SDK as npm packs it, unpacked beside an application. */
async function installSDK(application: string): Promise<string> {
  const options = ["-w", "sdk", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await run("npm", ["pack", ...options], { cwd: web });
  const tarball = JSON.parse(stdout)[0].filename as string;
  const target = join(application, "node_modules/@parley-chat/sdk");
  mkdirSync(target, { recursive: true });
  await run("tar", ["-xzf", join(folder, tarball), "--strip-components=1", "-C", target]);
  for (const name of ["ws", "@types/ws", "@types/node", "undici-types"]) {
    const link = join(application, "node_modules", name);
    mkdirSync(join(link, ".."), { recursive: true });
    symlinkSync(join(web, "node_modules", name), link);
  }
  return target;
}

test("the packed SDK runs the echo bot, and brings its types", async () => {
  const application = join(folder, "echo-bot");
  cpSync(join(examples, "echo-bot"), application, { recursive: true });
  const sdk = await installSDK(application);
  for (const file of ["README.md", "LICENSE", "dist/index.js", "dist/index.js.map", "dist/index.d.ts", "dist/cjs/index.js", "dist/cjs/index.d.ts"]) {
    expect(existsSync(join(sdk, file)), file).toBe(true);
  }
  start("node", ["bot.js", inject("server"), "example-echo"], application);
  expect(await ask("example-echo", "echo-bot", "!echo it works")).toBe("it works");

  cpSync(join(web, "tests/support/consumer.ts"), join(application, "consumer.ts"));
  const tsc = join(web, "node_modules/.bin/tsc");
  const options = "--noEmit --strict --target es2022 --module nodenext --lib es2022,dom --types node,ws";
  await run(tsc, [...options.split(" "), "consumer.ts"], { cwd: application });

  const required = `const { Client } = require("@parley-chat/sdk");
    const client = new Client({ url: ${JSON.stringify(inject("server"))}, user: "old", WebSocket: require("ws") });
    client.join("example-echo").then((room) => { console.log(room.state); client.close(); });`;
  const { stdout } = await run("node", ["--input-type=commonjs", "-e", required], { cwd: application });
  expect(stdout).toBe("joined\n");
});

test("the bot in Go tells the time", async () => {
  const binary = join(folder, "go-bot");
  await run("go", ["build", "-o", binary, "./examples/go-bot"], { cwd: repository });
  start(binary, [socket(), "example-go"], folder);
  expect(await ask("example-go", "go-bot", "!time")).toMatch(/^It is \d\d:\d\d:\d\d$/);
});

const python = await run("python3", ["-m", "pip", "--version"]).then(
  () => true,
  () => false,
);

test.skipIf(!python && !process.env.CI)("the bot in Python rolls a die", async () => {
  const packages = join(web, "node_modules/.cache/python");
  const requirements = join(examples, "python-bot/requirements.txt");
  if (!existsSync(join(packages, "websockets"))) {
    await run("python3", ["-m", "pip", "install", "-q", "--target", packages, "-r", requirements]);
  }
  const env = { PYTHONPATH: packages, PYTHONUNBUFFERED: "1" };
  start("python3", ["bot.py", socket(), "example-python"], join(examples, "python-bot"), env);
  expect(await ask("example-python", "python-bot", "!roll")).toMatch(/^ada rolls [1-6]$/);
});

test("a page of another origin chats with the SDK from the server", async () => {
  const page = readFileSync(join(examples, "embed/index.html"));
  const site = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(page);
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  const server = await Server.start(inject("binary"), undefined, ["--origins", origin]);
  const browser = await launchBrowser();
  try {
    client = new Client({ url: server.url, user: "ada", WebSocket });
    const lobby = await client.join("lobby");
    await lobby.send("welcome, whoever you are");
    const { page, problems } = await openWindow(browser);
    await page.goto(`${origin}/?server=${server.url}`);
    await page.getByText("ada: welcome, whoever you are").waitFor();
    await page.getByPlaceholder("Say something").fill("hello from elsewhere");
    await page.getByPlaceholder("Say something").press("Enter");
    await until("the message", () => lobby.messages.some((m) => m.body === "hello from elsewhere"));
    await page.getByText(/guest-\d+: hello from elsewhere/).waitFor();
    expect(problems.filter((problem) => !problem.includes("favicon"))).toEqual([]);
  } finally {
    await browser.close();
    site.close();
    await server.stop();
  }
});

test("the examples are as short as they say", () => {
  const lines = (file: string) => readFileSync(join(examples, file), "utf8").trimEnd().split("\n").length;
  expect(lines("go-bot/main.go")).toBeLessThan(60);
  expect(lines("python-bot/bot.py")).toBeLessThan(60);
  expect(lines("embed/index.html")).toBeLessThanOrEqual(15);
});
