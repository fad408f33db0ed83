// How the tests run: one configuration for all workspaces, resolving @railyard/* to sources so
// that no build is needed, and one seed for the chance in all tests. It knows no test by name.
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";

const conditions = ["railyard-source"];
const DEFAULT_SEED = "1";
const SEED_MAX = 2 ** 31 - 1;
/** The slowest tests take 20 s on a quiet machine, and many times that on a busy one. */
const LIMIT_MS = 180_000;

/** The same for the same commit, unless asked for another or for any. */
function seed(): number {
  const { RAILYARD_TEST_SEED: asked = DEFAULT_SEED } = process.env;
  if (asked !== "any") {
    if (/^\d{1,10}$/.test(asked) && Number(asked) <= SEED_MAX) return Number(asked);
    throw new Error(`RAILYARD_TEST_SEED is "any" or 0 to ${SEED_MAX}, not ${asked}`);
  }
  const drawn = randomInt(SEED_MAX);
  console.log(`RAILYARD_TEST_SEED=${drawn}`);
  return drawn;
}

/** Properties get the library with the seed set, and only the files that have any pay for it. */
function seededProperties(): Plugin {
  const seeded = fileURLToPath(new URL("test/fast-check.ts", import.meta.url));
  return {
    name: "seeded-properties",
    enforce: "pre",
    resolveId: (id, from) => (id === "fast-check" && from !== seeded ? seeded : undefined),
  };
}

const config = defineConfig({
  plugins: [seededProperties()],
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    environment: "node",
    pool: "forks",
    include: ["{proto,lib,controller,agent,cli}/src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    provide: { seed: seed() },
    setupFiles: ["test/patience.ts"],
    testTimeout: LIMIT_MS,
    hookTimeout: LIMIT_MS,
    retry: 0,
  },
});

export default config;
