import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const sdk = fileURLToPath(new URL("sdk/src/index.ts", import.meta.url));

export default defineConfig({
  resolve: { alias: { "@parley-chat/sdk": sdk } },
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["tests/unit/**/*.test.ts", "tests/sdk/**/*.test.ts"] },
      },
    ],
  },
});
