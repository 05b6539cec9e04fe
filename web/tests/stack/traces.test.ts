import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { enter, openWindow, say, screenshot } from "../support/browser.ts";
import { freePort, repository, Server } from "../support/server.ts";
import { browser } from "../support/stage.ts";
import { until } from "../support/wait.ts";

/** The pages of bin/jaeger, to which the chat page leads: deploy/jaeger/ui. */

const program = join(repository, "bin/jaeger");
if (!existsSync(program) && process.env.CI === "true") throw new Error("there is no bin/jaeger: run `make jaeger`");

let jaeger: ChildProcess;
let server: Server;
let query: string;

async function start(): Promise<void> {
  const [pages, queryGRPC, otlpGRPC, otlpHTTP] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  query = `http://127.0.0.1:${pages}`;
  jaeger = spawn(program, ["--config", "deploy/jaeger/config.yaml"], {
    cwd: repository,
    stdio: "ignore",
    env: {
      ...process.env,
      JAEGER_QUERY_PORT: `${pages}`,
      JAEGER_QUERY_GRPC_PORT: `${queryGRPC}`,
      JAEGER_OTLP_GRPC_PORT: `${otlpGRPC}`,
      JAEGER_OTLP_HTTP_PORT: `${otlpHTTP}`,
    },
  });
  await until("Jaeger answers", () => fetch(query).then((r) => r.ok, () => false));
  server = await Server.start(inject("binary"), undefined, ["--traces", `${query}/trace/{trace}`], undefined, {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${otlpHTTP}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_BSP_SCHEDULE_DELAY: "100",
  });
}

/** The rows of the tree: how far each is set in, and its name. */
const tree = (page: Page) =>
  page.locator("summary .name").evaluateAll((names) => names.map((n) => `${parseInt((n as HTMLElement).style.paddingLeft)} ${n.textContent}`));

describe.skipIf(!existsSync(program))("the pages of traces", () => {
  beforeAll(start);
  afterAll(async () => {
    await server?.stop();
    jaeger?.kill();
  });

  test("a message's details lead to its trace, a tree with times", async () => {
    const { page } = await openWindow(browser);
    await enter(page, server.url, "ada", "traced");
    await say(page, "where does this go?");
    await page.getByRole("button", { name: "Options for the message by ada" }).click({ force: true });
    await page.getByRole("dialog").getByText("Details").click();
    const opened = page.waitForEvent("popup");
    await page.getByRole("dialog").locator("dd a").click();
    const trace = await opened;
    const problems: string[] = [];
    trace.on("pageerror", (e) => problems.push(e.message));
    trace.on("console", (m) => m.type() === "error" && problems.push(m.text()));
    // The projector's span comes last, and the page waits for it by itself.
    await until("every hop is shown", async () => (await tree(trace)).length === 6);
    const rows = await tree(trace);
    expect(rows.toSorted()).toEqual(
      ["0 chat", "1 send parley.events", "2 process parley.events", "2 process parley.events", "3 send parley.push", "4 process parley.push"],
    );
    expect(rows.slice(0, 2)).toEqual(["0 chat", "1 send parley.events"]);
    await trace.locator("summary", { hasText: "process parley.push" }).click();
    await trace.locator("details[open] dd", { hasText: /^parley\.push$/ }).waitFor();
    await screenshot(trace, "trace");

    // The batch that stored the row is a trace of its own.
    await trace.locator("details").evaluateAll((all) => all.forEach((d) => ((d as HTMLDetailsElement).open = true)));
    await trace.locator("dd a").first().click();
    await trace.locator("summary .name", { hasText: "INSERT events_1" }).waitFor();

    await trace.getByRole("link", { name: "Traces", exact: true }).click();
    await trace.getByRole("link", { name: "chat" }).first().waitFor();
    await screenshot(trace, "traces");
    await trace.getByRole("link", { name: "chat" }).first().click();
    await trace.locator("summary .name", { hasText: "process parley.push" }).waitFor();
    expect(problems).toEqual([]);
  });

  test("what Jaeger does not have is reported as missing, and markup in it is text", async () => {
    const { page, problems } = await openWindow(browser);
    await page.goto(`${query}/trace/${"12".repeat(16)}`);
    await page.getByRole("status").getByText("No span of this trace is here yet.").waitFor();
    const of = (spanID: string, parent: string, more = {}) => ({
      traceID: "ab", spanID, operationName: `<b>${spanID}</b>`, startTime: 1e15, duration: 1000, processID: "p", tags: [],
      references: parent ? [{ refType: "CHILD_OF", traceID: "ab", spanID: parent }] : [], ...more,
    });
    const strange = [
      of("root", ""), of("root", ""), of("lost", "nowhere"), of("one", "two"), of("two", "one"),
      of("bad", "root", { tags: [{ key: "error", value: true }, { key: "error.type", value: "timeout" }], startTime: 1e15 + 1 }),
    ];
    await page.route("**/api/traces/ab", (route) => route.fulfill({ json: { data: [{ traceID: "ab", spans: strange, processes: {} }] } }));
    await page.goto(`${query}/trace/ab`);
    await page.locator("summary").first().waitFor();
    expect(await tree(page)).toEqual([
      "0 <b>root</b>", "1 <b>bad</b> failed: timeout", "0 <b>lost</b> its parent is not here", "0 <b>one</b> its parent is not here", "1 <b>two</b>",
    ]);
    expect(problems.filter((p) => !p.includes("404"))).toEqual([]); // which a browser says of what is not there
  });
});
