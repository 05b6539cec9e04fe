// Renders the client protocol (schema/rpc/asyncapi.yaml) and the SDK
// (web/sdk) as pages that a browser reads from the file system. Fails on
// anything that the document or a comment has wrong, warnings included.
import { Parser, stringify } from "@asyncapi/parser";
import asyncapi from "@asyncapi/react-component/lib/cjs/without-parser.js";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createElement } from "react";
import { renderToString } from "react-dom/server";

const here = fileURLToPath(new URL(".", import.meta.url));
const repository = join(here, "../..");
const out = join(repository, "bin/docs");
const { resolve } = createRequire(import.meta.url);

async function parse(file) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(join(repository, file), "utf8"));
  const wrong = diagnostics.filter(({ severity }) => severity <= 1); // 0 is an error, 1 a warning
  for (const { range, message, path } of wrong) {
    console.error(`${file}:${range.start.line + 1}: ${message} (${path.join(".")})`);
  }
  if (wrong.length > 0 || !document) throw new Error(`${file} is not a valid AsyncAPI document`);
  return document;
}

// What is in the HTML already is read without JavaScript; the script opens and closes its parts.
function protocolPage(document) {
  // From the side of a client, who reads it.
  const labels = { replyLabel: "REQUEST", sendLabel: "PUSH" };
  const config = { show: { errors: false, sidebar: true }, ...labels };
  const markup = renderToString(createElement(asyncapi.default, { schema: document, config }));
  const props = JSON.stringify({ schema: stringify(document), config }).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${document.info().title()} ${document.info().version()}</title>
<link rel="stylesheet" href="style.css">
</head>
<body style="margin: 0">
<main id="page">${markup}</main>
<script src="page.js"></script>
<script>AsyncApiStandalone.hydrate(${props}, document.getElementById("page"));</script>
</body>
</html>
`;
}

async function renderProtocol(folder) {
  const document = await parse("schema/rpc/asyncapi.yaml");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "index.html"), protocolPage(document));
  const component = "@asyncapi/react-component";
  cpSync(resolve(`${component}/styles/default.min.css`), join(folder, "style.css"));
  cpSync(resolve(`${component}/browser/standalone/without-parser.js`), join(folder, "page.js"));
}

function renderSDK(folder) {
  execFileSync(join(here, "node_modules/.bin/typedoc"), ["--logLevel", "Warn", "--out", folder], {
    cwd: here,
    stdio: "inherit",
  });
}

rmSync(out, { recursive: true, force: true });
try {
  await renderProtocol(join(out, "protocol"));
  renderSDK(join(out, "sdk"));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
