// An emulated hypervisor that runs scripts: starts and ends it. Knows nothing of agents.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Hardware } from "@railyard/agent/hardware/hardware";
import { type Hypervisor, type HypervisorOptions, startHypervisor } from "./hypervisor.js";
import { ScriptFolder } from "./script-folder.js";

const BOOT_MS = 60_000;
const BOOT_TRIES = 2;
const HANDS = join(import.meta.dirname, "inside", "hands.mjs");
const SERVE = join(import.meta.dirname, "inside", "serve.sh");

export type InsideOptions = Omit<HypervisorOptions, "run" | "log" | "share"> & {
  /** Of this machine; holds the share and the console's log. */
  readonly folder: string;
};

export class Inside {
  private readonly scripts: ScriptFolder;

  private constructor(
    private readonly hypervisor: Hypervisor,
    /** `/run/lab` inside. */
    readonly share: string,
  ) {
    this.scripts = new ScriptFolder(share);
  }

  /** Boots a hypervisor, again when it does not come up the first time. */
  static async boot(options: InsideOptions): Promise<Inside> {
    const { folder, ...rest } = options;
    for (let attempt = 1; ; attempt++) {
      const share = join(folder, `share-${attempt}`);
      mkdirSync(share, { recursive: true });
      const log = join(folder, "console.log");
      const hypervisor = startHypervisor({ ...rest, run: SERVE, share, log });
      try {
        await hypervisor.line(/^LAB-READY/, BOOT_MS);
        return new Inside(hypervisor, share);
      } catch (cause) {
        await hypervisor.stop();
        if (attempt === BOOT_TRIES) throw cause;
      }
    }
  }

  /** What a shell script printed inside; throws with it when the script failed. */
  ask(script: string, limitMs?: number): Promise<string> {
    return this.scripts.ask(script, limitMs);
  }

  stop(): Promise<void> {
    return this.hypervisor.stop();
  }
}

/** What one call came to. */
export type Outcome = { readonly ok: unknown } | { readonly error: string; readonly code: string };

/** Of the agent's code for Linux hardware, or `exec`: a tool and its arguments. */
type Call = readonly [method: keyof Hardware | "exec", ...args: unknown[]];

/** Calls the agent's code for Linux hardware inside, one call after the other. */
export async function callHardware(
  inside: Inside,
  iommu: "strict" | "shared",
  calls: readonly Call[],
): Promise<readonly Outcome[]> {
  const quoted = JSON.stringify(calls);
  if (quoted.includes("'")) throw new Error("an argument would end the quotes");
  return JSON.parse(await inside.ask(`${process.execPath} ${HANDS} ${iommu} '${quoted}'`));
}
