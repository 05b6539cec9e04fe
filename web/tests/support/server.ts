import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../../../", import.meta.url));

/** A `parley up` of its own: the real thing, on embedded servers. */
export class Server {
  readonly url: string;
  readonly data: string;
  readonly #child: ChildProcess;
  readonly #binary: string;
  readonly #flags: readonly string[];
  readonly #exited: Promise<void>;

  private constructor(
    binary: string,
    flags: readonly string[],
    child: ChildProcess,
    url: string,
    data: string,
  ) {
    this.#binary = binary;
    this.#flags = flags;
    this.#child = child;
    this.url = url;
    this.data = data;
    this.#exited = new Promise((resolve) => child.once("exit", () => resolve()));
  }

  /** Starts one on an empty data folder, or on that of an earlier one. */
  static async start(
    binary: string,
    listen = "127.0.0.1:0",
    flags: readonly string[] = [],
    data?: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Server> {
    const folder = data ?? mkdtempSync(join(tmpdir(), "parley-web-"));
    const args = ["up", "--listen", listen, "--data", folder, "--admin", "127.0.0.1:0", ...flags];
    const child = spawn(binary, args, {
      cwd: repository,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new Server(binary, flags, child, await address(child), folder);
  }

  /** The process is gone at once, with everything it held in memory. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  /** The same server again, on the same address and data. */
  restart(): Promise<Server> {
    return Server.start(this.#binary, new URL(this.url).host, this.#flags, this.data);
  }

  /** Stops it in order and forgets its data. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGTERM");
      await this.#exited;
    }
    rmSync(this.data, { recursive: true, force: true });
  }
}

/** Reads where the chat is, or why there is none. */
function address(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = "";
    let said = "";
    child.stderr!.on("data", (data) => (log = (log + data).slice(-4000)));
    child.stdout!.on("data", (data) => {
      said += data;
      const found = /chat\s+(http:\S+)/.exec(said);
      if (found) resolve(found[1]!);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`parley up ended with ${code}:\n${log}`)));
  });
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
