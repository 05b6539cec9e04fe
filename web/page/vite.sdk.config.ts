import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

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
    rolldownOptions: { output: { minify: true, comments: false } },
    reportCompressedSize: false,
  },
});
