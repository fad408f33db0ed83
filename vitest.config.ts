// How the tests run: one configuration for all workspaces, resolving @railyard/* to sources so
// that no build is needed. It knows no test by name.
import { defineConfig } from "vitest/config";

const conditions = ["railyard-source"];

const config = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    environment: "node",
    pool: "forks",
    include: ["{proto,lib,controller,agent,cli}/src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: 0,
  },
});

export default config;
