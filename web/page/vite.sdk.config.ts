import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/**
 * Names that the SDK's parts have for each other, and nobody else: no application, no
 * frame, no browser. They become short ones, which saves some 250 bytes.
 */
const inner = [
  ...["acts", "pages", "requests", "scene", "sync", "timeline"],
  ...["able", "added", "addPage", "adopt", "altered", "append", "applyAll", "arrived", "awaited"],
  ...["disconnected", "doubt", "drop", "established", "forget", "forgetRecent", "hasten", "inside"],
  ...["learn", "lookup", "newest", "oldest", "online", "opened", "passed", "position", "prepend"],
  ...["probe", "pushed", "reconnect", "refusal", "rejoin", "renew", "renewable", "restart"],
  ...["resume", "signalled", "trimmed", "trouble"],
];

const minify = {
  compress: true,
  mangle: true,
  codegen: true,
  mangleProps: { include: new RegExp(`^(${inner.join("|")})$`) },
};

// The SDK in one file, served by the connector for pages of other origins.
export default defineConfig({
  root: fileURLToPath(new URL("../sdk", import.meta.url)),
  publicDir: false,
  build: {
    outDir: "../dist/sdk",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: true,
    minify: true,
    lib: { entry: "src/index.ts", formats: ["es"], fileName: () => "parley.js" },
    rolldownOptions: { output: { minify, comments: false } },
    reportCompressedSize: false,
  },
});
