import { ErrorCode } from "@parley-chat/sdk";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { FakeServer } from "../support/fake-server.ts";
import { blocks, firstColumns, text } from "../support/markdown.ts";
import { until } from "../support/wait.ts";

const web = fileURLToPath(new URL("../../", import.meta.url));
const readme = text("web/sdk/README.md");

/** The types as they are published. */
const types = (file: string) => readFileSync(join(web, `sdk/dist/${file}.d.ts`), "utf8");

/** The names of the fields of a type. */
function fields(file: string, name: string): string[] {
  const body = new RegExp(`(?:interface|type) ${name}(?:<.*?>)?(?: =)? \\{\\n([\\s\\S]*?)\\n\\}`).exec(types(file));
  return [...body![1]!.matchAll(/^    (?:readonly )?(\w+)\??:/gm)].map((match) => match[1]!);
}

/** The public members of classes. */
function members(...files: string[]): string[] {
  const names = files.flatMap((file) => {
    const lines = [...types(file).matchAll(/^    (?:readonly |get |abstract )*(\w+)(?:<.*?>)?[(:]/gm)];
    return lines.map((match) => match[1]!).filter((name) => name !== "constructor");
  });
  return [...new Set(names)].sort();
}

test("the tables name every option, member, event and error, and nothing else", () => {
  const client = firstColumns(readme, "Client");
  const channel = firstColumns(readme, "Channel");
  const sorted = (names: string[] | undefined) => [...names!].sort();
  expect(sorted(client.option)).toEqual(fields("client-types", "ClientOptions").sort());
  expect(sorted(client.event)).toEqual(fields("client-types", "ClientEvents").sort());
  expect(sorted(client.member)).toEqual(members("client", "base-client", "emitter"));
  expect(sorted(channel.option)).toEqual(fields("channel-types", "ChannelOptions").sort());
  expect(sorted(channel.event)).toEqual(fields("channel-types", "ChannelEvents").sort());
  expect(sorted(channel.member)).toEqual(members("channel", "moderation", "messages", "emitter"));

  const rows = [...readme.matchAll(/^\| `(\w+)` \| (-?\d+) \|/gm)];
  expect(Object.fromEntries(rows.map(([, name, code]) => [name, Number(code)]))).toEqual(ErrorCode);
});

test("the first program runs as it is pasted", async () => {
  const program = blocks(readme).find(({ language }) => language === "js")!.code;
  const server = await FakeServer.start();
  const folder = mkdtempSync(join(tmpdir(), "parley-readme-"));
  const packages = join(folder, "node_modules");
  mkdirSync(join(packages, "@parley-chat"), { recursive: true });
  symlinkSync(join(web, "sdk"), join(packages, "@parley-chat/sdk"));
  symlinkSync(join(web, "node_modules/ws"), join(packages, "ws"));
  writeFileSync(join(folder, "chat.mjs"), program.replace("http://127.0.0.1:8080", server.url));
  server.say("bob", "I was here before");
  const child = spawn(process.execPath, ["chat.mjs"], { cwd: folder });
  let said = "";
  child.stdout.on("data", (data) => (said += data));
  child.stderr.on("data", (data) => (said += data));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  try {
    await until("its edit", () => server.count("edit") === 1 || child.exitCode !== null);
    server.say("bob", "hello ada");
    await until("what it prints", () => said.includes("bob: hello ada") || child.exitCode !== null);
    child.kill("SIGINT");
    expect(await exited).toBe(0);
    expect(said.split("\n")).toEqual(
      expect.arrayContaining(["bob: I was here before", "ada: hello", "ada: psst", "bob: hello ada"]),
    );
  } finally {
    child.kill("SIGKILL");
    await exited;
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
