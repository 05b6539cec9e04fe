import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

/** The name of the worker, in the address of which the version of the page is not. */
export const WORKER = "sw.js";

/** Loaded when one looks for an emoji, and many times as large as the rest. */
const NOT_KEPT = /^assets\/(en|zh)-/;

/** Tells the page's service worker which files there are, and a version of them all. */
export function shell(publicFolder: string): Plugin {
  return {
    name: "shell",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const worker = bundle[WORKER];
        if (worker?.type !== "chunk") throw new Error(`there is no ${WORKER}`);
        if (worker.imports.length > 0 || worker.exports.length > 0) throw new Error("the worker is not one script");
        const hash = createHash("sha256").update(worker.code);
        const files = ["./"];
        const add = (name: string, content: string | Uint8Array) => {
          hash.update(`\0${name}\0`).update(content);
          if (name !== "index.html" && !NOT_KEPT.test(name)) files.push(name);
        };
        for (const file of Object.values(bundle)) {
          if (file !== worker) add(file.fileName, file.type === "chunk" ? file.code : file.source);
        }
        const others = readdirSync(publicFolder).filter((name) => !name.startsWith("."));
        for (const name of others) add(name, readFileSync(join(publicFolder, name)));
        const said = JSON.stringify({ version: hash.digest("hex").slice(0, 16), files });
        if (worker.code.split("__SHELL__").length !== 2) throw new Error("the worker asks for its files once");
        worker.code = worker.code.replace("__SHELL__", () => said);
      },
    },
  };
}
