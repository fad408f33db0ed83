// Runs one tier, whose name is the only argument, in a process of its own, and tells the process
// above what it proves. It knows no tier, and whether this one can run was asked before.
import type { Report } from "./tier.js";
import { TIERS } from "./tiers.js";

/** What the process of a tier tells. */
export type Told =
  | { readonly kind: "note"; readonly line: string }
  | {
      readonly kind: "proof";
      readonly sentence: string;
      readonly held: boolean;
      readonly seconds: number;
    };

const report: Report = {
  note: (line) => tell({ kind: "note", line }),
  async proof(sentence, look) {
    const begun = performance.now();
    const told = (held: boolean) => {
      tell({ kind: "proof", sentence, held, seconds: (performance.now() - begun) / 1000 });
    };
    try {
      await look();
    } catch (thrown) {
      told(false);
      throw thrown;
    }
    told(true);
  },
};

function tell(told: Told): void {
  process.send?.(told);
}

async function main(name: string | undefined): Promise<number> {
  const tier = TIERS.find((known) => known.name === name);
  if (!tier) throw new Error(`no tier is called ${name}`);
  try {
    await tier.run(report);
    return 0;
  } catch (thrown) {
    console.error(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
    return 1;
  }
}

/** Machines end as this process does; whatever else was started is in its group, ended last. */
function giveUp(): void {
  process.once("exit", () => process.kill(-process.pid, "SIGKILL"));
  process.exit(1);
}

process.once("SIGTERM", giveUp);
// The process above is gone.
process.once("disconnect", giveUp);
const code = await main(process.argv[2]);
process.off("disconnect", giveUp);
// Once all was told; what a tier that failed has left behind must not keep this process.
process.once("disconnect", () => process.exit(code));
process.disconnect();
