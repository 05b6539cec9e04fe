import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { emoji } from "./emoji.ts";

const sdk = fileURLToPath(new URL("../sdk/src/index.ts", import.meta.url));

export default defineConfig({
  // Wherever it is served: everything is relative to the page's own address.
  base: "./",
  root: fileURLToPath(new URL(".", import.meta.url)),
  plugins: [emoji()],
  resolve: { alias: { "@parley-chat/sdk": sdk } },
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows files of the page's own origin only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // For `npm run dev`: the page from here, the chat from a running connector.
  server: { proxy: { "/ws": { target: "http://127.0.0.1:8080", ws: true } } },
});
