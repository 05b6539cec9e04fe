import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { repository } from "../support/server.ts";
import { until } from "../support/wait.ts";

const drivers = join(repository, "tests/testdata/pomelo");

/** A message, as these clients get it. */
export interface Said {
  msg: string;
  from: string;
  target: string;
  seq: number;
  history?: boolean;
}

interface Line {
  connected?: boolean;
  closed?: boolean;
  n?: number;
  answer?: any;
  push?: string;
  body?: any;
}

/** A client of pomelo that others wrote, in a process of its own. */
export class Guest {
  readonly name: string;
  readonly #child: ChildProcess;
  #heard: Line[] = [];
  #log = "";
  #asked = 0;

  constructor(library: string, name: string) {
    this.name = name;
    const python = library === "pypomelo";
    this.#child = spawn(python ? "python3" : "node", [join(drivers, python ? "client.py" : "client.js"), library], {
      env: { ...process.env, PYTHONPATH: process.env.PARLEY_TEST_POMELO },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child.stderr!.on("data", (data) => (this.#log = (this.#log + data).slice(-4000)));
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#heard.push(JSON.parse(line)));
  }

  #do(command: object): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  /** The next line of a kind; those before it stay for others. */
  async #next(what: string, wanted: (line: Line) => boolean): Promise<Line> {
    let at = -1;
    await until(`${this.name} hears ${what}`, () => (at = this.#heard.findIndex(wanted)) >= 0).catch((error) => {
      throw new Error(`${error.message}\n${this.#log}`);
    });
    return this.#heard.splice(at, 1)[0]!;
  }

  async connect(port: number): Promise<void> {
    this.#do({ do: "connect", host: "127.0.0.1", port });
    await this.#next("that it is connected", (line) => line.connected === true);
  }

  /** Enters a room, and returns who is there. */
  async enter(rid: string): Promise<string[]> {
    return (await this.#ask("connector.entryHandler.enter", { username: this.name, rid })).users;
  }

  /** Sends a message to all, or to a user. */
  async says(content: string, target = "*"): Promise<void> {
    const answer = await this.#ask("chat.chatHandler.send", { content, target });
    if (answer.code !== 200) throw new Error(`${this.name} sends, and is answered ${JSON.stringify(answer)}`);
  }

  /** Waits until the connection is cut. */
  async cut(): Promise<void> {
    await this.#next("that it is cut", (line) => line.closed === true);
  }

  /** The push of a message. */
  async sees(text: string): Promise<Said> {
    return (await this.#next(text, (line) => line.push === "onChat" && line.body.msg === text)).body;
  }

  async #ask(route: string, body: object): Promise<any> {
    const n = ++this.#asked;
    this.#do({ do: "request", n, route, body });
    return (await this.#next(`an answer of ${route}`, (line) => line.n === n)).answer;
  }

  /** Ends the process. */
  stop(): void {
    this.#child.kill();
  }
}
