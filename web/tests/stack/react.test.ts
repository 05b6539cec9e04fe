import { Client } from "@parley-chat/sdk";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as Site } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { build } from "vite";
import WebSocket from "ws";
import { launchBrowser, openWindow } from "../support/browser.ts";
import { blocks, text } from "../support/markdown.ts";
import { Server } from "../support/server.ts";
import { until } from "../support/wait.ts";

/** The recipe for React in the SDK's README, with React itself, in a browser. */

const folder = fileURLToPath(new URL("../../node_modules/.cache/react-recipe/", import.meta.url));
const recipe = blocks(text("web/sdk/README.md")).find(({ language }) => language === "jsx")!.code;

/** An application around it: strict, so that React mounts everything twice, and with a way out. */
const application = `
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { Client } from "@parley-chat/sdk";
import { Room } from "./recipe.jsx";

const server = new URLSearchParams(location.search).get("server");
const client = new Client({ url: server, user: "ada" });
function App() {
  const [name, setName] = useState("react");
  return <>
    <button onClick={() => setName(name === "react" ? "elsewhere" : "react")}>{name}</button>
    <Room client={client} name={name} />
  </>;
}
createRoot(document.getElementById("root")).render(<StrictMode><App /></StrictMode>);
`;

let browser: Browser;
let site: Site;
let server: Server;
let origin: string;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}recipe.jsx`, recipe);
  writeFileSync(`${folder}main.jsx`, application);
  await build({
    configFile: false,
    logLevel: "error",
    root: folder,
    mode: "development",
    define: { "process.env.NODE_ENV": '"development"' }, // where React warns
    resolve: { alias: { "@parley-chat/sdk": fileURLToPath(new URL("../../sdk/src/index.ts", import.meta.url)) } },
    build: { outDir: "dist", minify: false, lib: { entry: "main.jsx", formats: ["es"], fileName: () => "main.js" } },
  });
  const script = readFileSync(`${folder}dist/main.js`);
  site = createServer(({ url }, response) => {
    const isScript = url!.startsWith("/main.js");
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : '<!doctype html><div id="root"></div><script type="module" src="/main.js"></script>');
  });
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  server = await Server.start(inject("binary"), undefined, ["--origins", origin]);
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  site?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a room of React shows what happens, and is left with its component", async () => {
  const bob = new Client({ url: server.url, user: "bob", WebSocket });
  const room = await bob.join("react");
  const { seq } = await room.send("welcome");
  const { page, problems } = await openWindow(browser);
  await page.goto(`${origin}/?server=${server.url}`);
  await page.getByText("bob: welcome").waitFor();
  await page.getByText("2 here").waitFor();

  await page.locator("input").fill("hello from React");
  await page.locator("input").press("Enter");
  await page.getByText("ada: hello from React").waitFor();
  expect(await page.getByText("hello from React").count()).toBe(1);
  await room.edit(seq!, "welcome, ada");
  await page.getByText("bob: welcome, ada").waitFor();

  await page.locator("button").click();
  await page.getByText("1 here").waitFor();
  await until("ada to have left", () => room.count === 1);
  await page.locator("button").click();
  await page.getByText("ada: hello from React").waitFor();
  await until("ada to be back", () => room.count === 2);
  await room.send("and again");
  await page.getByText("bob: and again").waitFor();
  bob.close();
  await page.getByText("1 here").waitFor();
  expect(problems.filter((problem) => !problem.includes("favicon"))).toEqual([]);
});
