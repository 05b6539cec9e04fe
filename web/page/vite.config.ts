import { fileURLToPath } from "node:url";
import { minify as minifyMore } from "terser";
import { defineConfig, type Plugin } from "vite";
import { emoji } from "./emoji.ts";
import { shell, WORKER } from "./shell.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const sdk = here("../sdk/src/index.ts");

/** A second minifier before the bundler's own: each finds what the other does not. */
const terser: Plugin = {
  name: "terser",
  async renderChunk(source) {
    const { code } = await minifyMore(source, {
      module: true,
      // Reading a signal follows it: what is read may not be left out.
      compress: { ecma: 2020, passes: 3, pure_getters: false },
      mangle: false,
    });
    return { code: code!, map: null };
  },
};

export default defineConfig({
  // Wherever it is served: everything is relative to the page's own address.
  base: "./",
  root: here("."),
  plugins: [terser, emoji(), shell(here("public"))],
  resolve: { alias: { "@parley-chat/sdk": sdk } },
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows files of the page's own origin only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: { index: here("index.html"), worker: here("worker/worker.ts") },
      output: { entryFileNames: ({ name }) => (name === "worker" ? WORKER : "assets/[name]-[hash].js") },
    },
  },
  // For `npm run dev`: the page from here, the chat from a running connector.
  server: { proxy: { "/ws": { target: "http://127.0.0.1:8080", ws: true } } },
});
