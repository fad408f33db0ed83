// What the tests mean by "fast-check" (vitest.config.ts): the library, with the run's one seed.
// It must not know the properties.
import fc from "fast-check";
import { testSeed } from "./seed.js";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: testSeed() });

export * from "fast-check";
export { default } from "fast-check";
