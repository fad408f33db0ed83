// Talks to an emulated hypervisor through the folder that it shares with this machine: scripts go
// in, what they printed comes out. Starts and ends the hypervisor; knows nothing of agents.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Hardware } from "@railyard/agent/hardware/hardware";
import { until } from "../until.js";
import { type Hypervisor, type HypervisorOptions, startHypervisor } from "./hypervisor.js";

const BOOT_MS = 60_000;
const BOOT_TRIES = 2;
const ASK_MS = 60_000;
const HANDS = join(import.meta.dirname, "inside", "hands.mjs");
const SERVE = join(import.meta.dirname, "inside", "serve.sh");

export type InsideOptions = Omit<HypervisorOptions, "run" | "log" | "share"> & {
  /** Of this machine; holds the share and the console's log. */
  readonly folder: string;
};

export class Inside {
  private asked = 0;

  private constructor(
    private readonly hypervisor: Hypervisor,
    /** `/run/lab` inside. */
    readonly share: string,
  ) {}

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
  async ask(script: string, limitMs = ASK_MS): Promise<string> {
    this.asked += 1;
    const path = join(this.share, `ask-${this.asked}.sh`);
    writeFileSync(`${path}.draft`, `${script}\n`);
    renameSync(`${path}.draft`, path);
    const answer = join(this.share, `answer-${this.asked}`);
    await until(`the answer to ${script.slice(0, 200)}`, () => existsSync(answer), limitMs);
    const text = readFileSync(answer, "utf8");
    const [, said = "", status] = /^([\s\S]*?)LAB-STATUS (\d+)\n$/.exec(text) ?? [];
    if (status !== "0") throw new Error(`${script.slice(0, 200)}: ${text.slice(-2_000)}`);
    return said;
  }

  stop(): Promise<void> {
    return this.hypervisor.stop();
  }
}

/** What one call came to. */
export type Outcome = { readonly ok: unknown } | { readonly error: string };

/** Calls the agent's code for Linux hardware inside, one call after the other. */
export async function callHardware(
  inside: Inside,
  iommu: "strict" | "shared",
  calls: readonly (readonly [method: keyof Hardware, ...args: unknown[]])[],
): Promise<readonly Outcome[]> {
  const quoted = JSON.stringify(calls);
  if (quoted.includes("'")) throw new Error("an argument would end the quotes");
  return JSON.parse(await inside.ask(`${process.execPath} ${HANDS} ${iommu} '${quoted}'`));
}
