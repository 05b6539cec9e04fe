import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface HookEvent {
  seq: number;
  n: number;
  kind: string;
  body?: string;
}

/** A backend that is told by hooks what happens: it takes what is signed, and each event once. */
export class Receiver {
  /** The events that came, by kind, or with the text of messages. */
  readonly events: string[] = [];
  /** What signs the events: without it none is taken. */
  secret = "";
  readonly #server: Server;
  readonly #last = new Map<string, [number, number]>();

  private constructor() {
    this.#server = createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on("data", (chunk: Buffer) => chunks.push(chunk));
      req.on("end", () => res.writeHead(this.#take(req.headers, Buffer.concat(chunks))).end());
    });
  }

  /** Listens where containers reach it. */
  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, resolve));
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The texts of the messages that came. */
  get texts(): string[] {
    return this.events.filter((event) => event.startsWith("chat ")).map((event) => event.slice("chat ".length));
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #take(headers: IncomingHttpHeaders, body: Buffer): number {
    if (this.secret === "") return 503;
    const key = Buffer.from(this.secret.replace(/^whsec_/, ""), "base64");
    const mac = createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`).update(body).digest("base64");
    const signed = Buffer.from(`v1,${mac}`);
    const given = Buffer.from(String(headers["webhook-signature"]));
    if (given.length !== signed.length || !timingSafeEqual(given, signed)) return 401;
    const batch = JSON.parse(body.toString()) as { epoch: string; partition: number; events: HookEvent[] };
    const place = `${batch.epoch}/${batch.partition}`;
    for (const event of batch.events) {
      const [seq, n] = this.#last.get(place) ?? [-1, -1];
      if (event.seq < seq || (event.seq === seq && event.n <= n)) continue;
      this.#last.set(place, [event.seq, event.n]);
      this.events.push(event.body === undefined ? event.kind : `${event.kind} ${event.body}`);
    }
    return 204;
  }
}
