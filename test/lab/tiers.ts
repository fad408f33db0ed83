// Which tiers the lab has, and which of them may run at the same time. Knows nothing of what they
// do.
import { partitions } from "./infiniband/partitions.js";
import { overlaid } from "./overlay/overlaid.js";
import { kept } from "./settings/kept.js";
import { placed } from "./sriov/placed.js";
import { wired } from "./sriov/wired.js";
import { units } from "./systemd/units.js";
import type { Tier } from "./tier.js";

/**
 * Lanes beside each other, each of one tier after the other, of about the same length. What is in
 * one lane is never in memory twice: the first has the machines that are processes of this one, the
 * second the emulated ones.
 */
export const LANES: readonly (readonly Tier[])[] = [
  [overlaid, units],
  [placed, wired, kept, partitions],
];

export const TIERS: readonly Tier[] = LANES.flat();
