// What is measured of the API, each in a file of its own. Knows what is measured, not how.
import { measureCommits } from "./commits.js";
import type { Effort } from "./compare.js";
import type { Figure } from "./figure.js";
import { measureAttachedInstances, measureBareInstances, measureSubnets } from "./instances.js";
import { measureMillion } from "./million.js";
import { measureReads } from "./reads.js";
import { measureStore } from "./store-rows.js";
import { measureWatch, measureWatchedCreates } from "./watchers.js";

export type Measure = (effort: Effort) => Promise<readonly Figure[]>;

export const API: Readonly<Record<string, Measure>> = {
  reads: measureReads,
  subnets: measureSubnets,
  instances: measureBareInstances,
  attachments: measureAttachedInstances,
  commits: measureCommits,
  store: measureStore,
  watch: measureWatch,
  watched: measureWatchedCreates,
  million: measureMillion,
};
