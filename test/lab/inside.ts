// An emulated hypervisor that runs scripts: starts and ends it. Knows nothing of agents.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Hardware } from "@railyard/agent/hardware/hardware";
import { type Hypervisor, type HypervisorOptions, startHypervisor } from "./hypervisor.js";
import { ScriptFolder } from "./script-folder.js";

const BOOT_MS = 180_000;
const BOOT_TRIES = 2;
/** Seconds for all calls that are made at once. */
const HANDS_S = 45;
const HANDS = join(import.meta.dirname, "inside", "hands.mjs");
/** Inside; with an ending each, the pipes that the hands are asked and answer by. */
const PIPE = "/run/hands";
const SERVE = join(import.meta.dirname, "inside", "serve.sh");

export type InsideOptions = Omit<HypervisorOptions, "run" | "log" | "share"> & {
  /** Of this machine; holds the share and the console's log. */
  readonly folder: string;
};

export class Inside {
  private readonly scripts: ScriptFolder;
  private hands: Promise<unknown> | undefined;

  private constructor(
    private readonly hypervisor: Hypervisor,
    /** `/run/lab` inside. */
    readonly share: string,
  ) {
    this.scripts = new ScriptFolder(share, (number) => hypervisor.type(String(number)));
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

  /** Calls the agent's code for Linux hardware inside, one call after the other. */
  async call(iommu: "strict" | "shared", calls: readonly Call[]): Promise<readonly Outcome[]> {
    const quoted = JSON.stringify([iommu, ...calls]);
    if (quoted.includes("'")) throw new Error("an argument would end the quotes");
    this.hands ??= this.ask(`
      mkfifo ${PIPE}.in ${PIPE}.out
      ${process.execPath} ${HANDS} ${PIPE}.in ${PIPE}.out >${PIPE}.log 2>&1 &
    `);
    await this.hands;
    return JSON.parse(
      await this.ask(`
        echo '${quoted}' >${PIPE}.asked
        timeout ${HANDS_S} sh -c 'cat ${PIPE}.asked >${PIPE}.in; cat ${PIPE}.out' ||
          { cat ${PIPE}.log; exit 1; }
      `),
    );
  }

  stop(): Promise<void> {
    return this.hypervisor.stop();
  }
}

/** What one call came to. */
export type Outcome = { readonly ok: unknown } | { readonly error: string; readonly code: string };

/** Of the agent's code for Linux hardware, or `exec`: a tool and its arguments. */
export type Call = readonly [method: keyof Hardware | "exec", ...args: unknown[]];
