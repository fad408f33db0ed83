// The seed from which a run's chance comes. It must not know who draws.
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    readonly seed: number;
  }
}

/** The run's seed, 0 to 2^31 - 1: vitest.config.ts decides which. */
export function testSeed(): number {
  return inject("seed");
}
