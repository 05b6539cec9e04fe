import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { unpackBrowser } from "./browser.ts";
import { repository, Server } from "./server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Address of a server that all tests share: each uses channels of its own. */
    server: string;
    /** The program, for tests that kill it. */
    binary: string;
    /** The folder of the unpacked browser. */
    browser: string;
  }
}

const web = fileURLToPath(new URL("../../", import.meta.url));

/** Builds the program with the page of now in it, and starts it once for all tests. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (!existsSync(join(web, "dist/index.html"))) throw new Error("run `npm run build` first");
  const binary = join(web, "node_modules/.cache/parley");
  await promisify(execFile)("go", ["build", "-o", binary, "."], { cwd: repository });
  const browser = await unpackBrowser();
  const server = await Server.start(binary);
  project.provide("server", server.url);
  project.provide("binary", binary);
  project.provide("browser", browser);
  return () => server.stop();
}
