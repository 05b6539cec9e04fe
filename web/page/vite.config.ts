import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { emoji } from "./emoji.ts";
import { shell, WORKER } from "./shell.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const sdk = here("../sdk/src/index.ts");

export default defineConfig({
  // Wherever it is served: everything is relative to the page's own address.
  base: "./",
  root: here("."),
  plugins: [emoji(), shell(here("public"))],
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
