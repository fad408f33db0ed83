// Looks at a machine once, without any configuration and without touching it, for people to read.
// Knows how to look, not how it is printed.
import type { Clock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import type { MachineFacts } from "../hardware/hardware.js";
import { factsReader } from "../hardware/linux/facts.js";
import { type HostDisplay, readHostDisplay } from "../hardware/linux/host-facts.js";
import { type Outside, systemOutside } from "../hardware/linux/outside.js";
import { type PciNames, readPciNames } from "../hardware/linux/pci-ids.js";
import { type RailSeen, railsSeen } from "../inventory/rails.js";
import { inventoryOf, type Selectors } from "../inventory.js";
import type { Inventory } from "../model.js";

const TOOL_DEADLINE_MS = 5_000;

export interface Survey {
  /** Undefined for a directory, and where the machine does not tell. */
  readonly host: HostDisplay | undefined;
  readonly facts: MachineFacts;
  /** With the warnings about rails. */
  readonly inventory: Inventory;
  readonly rails: readonly RailSeen[];
  readonly names: PciNames;
}

/** What stands below `root`; tools and the host's own description belong to `/` only. */
export async function survey(root: string, selectors: Selectors, clock: Clock): Promise<Survey> {
  const whole = root === "/";
  const outside = whole ? systemOutside(clock) : filesBelow(root);
  // What is for reading only may be missing.
  const display = whole ? readHostDisplay(clock).catch(() => undefined) : undefined;
  const [facts, host] = await Promise.all([
    factsReader(outside, clock, TOOL_DEADLINE_MS)(),
    display,
  ]);
  const inventory = inventoryOf(facts, selectors);
  const { rails, warnings } = railsSeen(inventory);
  return {
    host,
    facts,
    inventory: { ...inventory, warnings: [...inventory.warnings, ...warnings] },
    rails,
    names: readPciNames(root),
  };
}

function filesBelow(root: string): Outside {
  const refused = (what: string) =>
    Promise.reject(refuse("unavailable", `${what}: ${root} is a directory, not this machine`));
  return { root, write: refused, exec: refused };
}
