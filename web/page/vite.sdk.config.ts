import { fileURLToPath } from "node:url";
import { minify as minifyMore } from "terser";
import { defineConfig, type Plugin } from "vite";
import { ErrorCode } from "../sdk/src/errors.ts";

/**
 * Names that the SDK's parts have for each other, and nobody else: no application, no
 * frame, no browser. They become short ones.
 */
const inner = [
  ...["acts", "again", "able", "addPage", "added", "adopt", "altered", "append", "apply"],
  ...["applyAll", "arrived", "awaited", "bound", "closed", "connected", "disconnected"],
  ...["doubt", "drop", "emit", "established", "failures", "flush", "forget", "forgetRecent", "good"],
  ...["hasten", "inFlight", "inside", "learn", "limited", "link", "live", "load", "lookup"],
  ...["lost", "make", "newest", "oldest", "opened", "out", "pages", "passed", "position", "post", "prepend"],
  ...["probe", "pushed", "put", "reconnect", "refreshed", "refusal", "rejoin", "renew"],
  ...["renewable", "requests", "restart", "resume", "sanctioned", "scene", "settle", "shown"],
  ...["signalled", "stop", "sync", "take", "timeline", "trim", "trimmed", "trouble", "unwatch"],
  ...["watch"],
];

/** The error codes as the numbers that they are: a name takes more bytes. */
const codes: Plugin = {
  name: "codes",
  transform: (source) => {
    const number = (_: string, name: keyof typeof ErrorCode) => `${ErrorCode[name]}`;
    return { code: source.replace(/\bErrorCode\.(\w+)/g, number), map: null };
  },
};

const minify = {
  compress: true,
  mangle: true,
  codegen: true,
  mangleProps: { include: new RegExp(`^(${inner.join("|")})$`) },
};

/** A second minifier after the first one: each finds what the other does not. */
const terser: Plugin = {
  name: "terser",
  async generateBundle({ format }, bundle) {
    for (const chunk of Object.values(bundle)) {
      const map = bundle[`${chunk.fileName}.map`];
      if (chunk.type !== "chunk" || map?.type !== "asset") continue;
      const { code, map: composed } = await minifyMore(chunk.code, {
        module: format === "es",
        compress: {
          ...{ ecma: 2020, passes: 3, keep_fargs: false, pure_getters: true },
          ...{ unsafe: true, unsafe_arrows: true, unsafe_comps: true },
        },
        format: { ecma: 2020, comments: false },
        sourceMap: {
          ...{ content: String(map.source), includeSources: true },
          ...{ filename: chunk.fileName, url: map.fileName },
        },
      });
      chunk.code = code!;
      map.source = String(composed);
    }
  },
};

// The SDK in one file, served by the connector for pages of other origins: as a module,
// and as a script that defines `Parley`; with `--mode core`, what is in `core.ts` alone.
export default defineConfig(({ mode }) => ({
  root: fileURLToPath(new URL("../sdk", import.meta.url)),
  publicDir: false,
  plugins: [codes, terser],
  build: {
    outDir: "../dist/sdk",
    emptyOutDir: mode !== "core",
    target: "es2022",
    sourcemap: true,
    minify: true,
    lib: {
      entry: mode === "core" ? "src/core.ts" : "src/index.ts",
      name: "Parley",
      formats: mode === "core" ? ["es"] : ["es", "iife"],
      fileName: (format) => {
        if (mode === "core") return "parley-core.js";
        return format === "es" ? "parley.js" : "parley.min.js";
      },
    },
    rolldownOptions: { output: { minify, comments: false, generatedCode: { symbols: false } } },
    reportCompressedSize: false,
  },
}));
