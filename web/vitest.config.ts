import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const sdk = fileURLToPath(new URL("sdk/src/index.ts", import.meta.url));
const core = fileURLToPath(new URL("sdk/src/core.ts", import.meta.url));
const built = fileURLToPath(new URL("dist/sdk/parley.js", import.meta.url));
const builtCore = fileURLToPath(new URL("dist/sdk/parley-core.js", import.meta.url));

export default defineConfig({
  resolve: { alias: { "@parley-chat/sdk/core": core, "@parley-chat/sdk": sdk } },
  test: {
    // Waits within a test end after a minute, and say what did not come.
    testTimeout: 90_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 60_000 } },
    // More at a time would only measure each other on a machine with two cores.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        // Alone: nothing but Node is needed.
        test: { name: "unit", include: ["tests/unit/**/*.test.ts", "tests/sdk/**/*.test.ts"] },
      },
      {
        extends: true,
        // What a page gets that imports the SDK from a connector, in one file.
        resolve: { alias: { "@parley-chat/sdk/core": builtCore, "@parley-chat/sdk": built } },
        test: {
          name: "built",
          include: [
            "tests/built/**/*.test.ts",
            "tests/sdk/{acts,changes,core,edits,listeners,moderation,recovery,rights,tokens,waits}.test.ts",
          ],
        },
      },
      {
        extends: true,
        // Against the real servers, and in a real browser.
        test: {
          name: "stack",
          include: ["tests/stack/**/*.test.ts"],
          globalSetup: ["tests/support/setup.ts"],
          testTimeout: 240_000,
        },
      },
      // What `make docs` rendered.
      ...(process.env.PARLEY_TEST_DOCS
        ? [
            {
              extends: true as const,
              test: {
                name: "docs",
                include: ["tests/docs/**/*.test.ts"],
                globalSetup: ["tests/docs/setup.ts"],
                testTimeout: 120_000,
              },
            },
          ]
        : []),
      // With clients of pomelo that scripts/pomelo.sh installs.
      ...(process.env.PARLEY_TEST_POMELO
        ? [
            {
              extends: true as const,
              test: {
                name: "pomelo",
                include: ["tests/pomelo/**/*.test.ts"],
                globalSetup: ["tests/support/setup.ts"],
                testTimeout: 120_000,
              },
            },
          ]
        : []),
      // On a Docker engine that scripts/test-docker.sh starts.
      ...(process.env.PARLEY_TEST_DOCKER
        ? [
            {
              extends: true as const,
              test: {
                name: "docker",
                include: ["tests/docker/**/*.test.ts"],
                globalSetup: ["tests/docker/setup.ts"],
                testTimeout: 1_800_000,
              },
            },
          ]
        : []),
    ],
  },
});
