import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inject } from "vitest";
import { freePort, repository, type Server } from "./server.ts";
import { until } from "./wait.ts";

/** Another connector of a server's log, in a process of its own. */
export class Beside {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start(server: Server, flags: readonly string[]): Promise<Beside> {
    const at = JSON.parse(readFileSync(join(server.data, "addresses.json"), "utf8"));
    const listen = `127.0.0.1:${await freePort()}`;
    const kafka = ["--kafka", at.kafka, "--kafka-password-file", at.kafka_password_file];
    const login = ["--kafka-sasl", "SCRAM-SHA-256", "--kafka-user", "parley"];
    const history = ["--clickhouse", at.clickhouse];
    const args = ["connector", "--listen", listen, ...kafka, ...login, ...history, ...flags];
    const child = spawn(inject("binary"), args, { cwd: repository, stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr!.on("data", (data) => (log = (log + data).slice(-4000)));
    const url = `http://${listen}`;
    await until("the connector to be ready", async () => {
      if (child.exitCode !== null) throw new Error(`the connector ended with ${child.exitCode}:\n${log}`);
      const answer = await fetch(`${url}/ws`).catch(() => undefined);
      return answer !== undefined && answer.status !== 503;
    });
    return new Beside(url, child);
  }

  /** Stops it in order. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** The process is gone at once, with everything it held in memory. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const exited = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    if (this.#child.kill(signal)) await exited;
  }
}
