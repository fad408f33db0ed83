// `npm run lab`: every tier of the lab that this machine can run, one after the other. A line for
// each proof. It knows the tiers by name and nothing of what they do.
import { parseArgs } from "node:util";
import { partitions } from "./infiniband/partitions.js";
import { overlaid } from "./overlay/overlaid.js";
import { kept } from "./settings/kept.js";
import { placed } from "./sriov/placed.js";
import { wired } from "./sriov/wired.js";
import { units } from "./systemd/units.js";
import type { Report, Tier } from "./tier.js";

const TIERS: readonly Tier[] = [overlaid, units, placed, wired, kept, partitions];

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    list: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

interface Proof {
  readonly tier: string;
  readonly sentence: string;
  readonly outcome: "ok" | "FAIL" | "skipped";
  readonly seconds: number;
}

const proofs: Proof[] = [];
const say = (line: string) => values.json || console.log(line);

function tell(proof: Proof): void {
  proofs.push(proof);
  const { outcome, sentence, seconds } = proof;
  say(`  ${outcome.padEnd(7)} ${sentence} (${seconds.toFixed(1)} s)`);
}

function reportOf(tier: string): Report {
  return {
    note: (line) => say(`          … ${line}`),
    async proof(sentence, look) {
      const begun = performance.now();
      const seconds = () => (performance.now() - begun) / 1000;
      try {
        await look();
      } catch (thrown) {
        tell({ tier, sentence, outcome: "FAIL", seconds: seconds() });
        throw thrown;
      }
      tell({ tier, sentence, outcome: "ok", seconds: seconds() });
    },
  };
}

/** Whether the tier held, or could not be tried. */
async function take({ name, about, needs, run }: Tier): Promise<boolean> {
  say(`${name}: ${about}`);
  const report = reportOf(name);
  const lack = await needs(report.note);
  if (lack !== undefined) {
    tell({ tier: name, sentence: lack, outcome: "skipped", seconds: 0 });
    return true;
  }
  try {
    await run(report);
    return true;
  } catch (thrown) {
    console.error(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
    const failed = proofs.some((proof) => proof.tier === name && proof.outcome === "FAIL");
    if (!failed) tell({ tier: name, sentence: "the tier itself", outcome: "FAIL", seconds: 0 });
    return false;
  }
}

async function main(): Promise<number> {
  const { only = TIERS.map(({ name }) => name), list, json } = values;
  const unknown = only.find((wanted) => !TIERS.some(({ name }) => name === wanted));
  if (list || unknown !== undefined) {
    if (unknown !== undefined) console.error(`no tier is called ${unknown}; there are:`);
    for (const { name, about } of TIERS) console.log(`${name.padEnd(14)}${about}`);
    return unknown === undefined ? 0 : 2;
  }
  let held = true;
  for (const tier of TIERS) if (only.includes(tier.name)) held = (await take(tier)) && held;
  if (json) console.log(JSON.stringify(proofs, undefined, 2));
  const count = (wanted: Proof["outcome"]) =>
    proofs.filter(({ outcome }) => outcome === wanted).length;
  say(`${count("ok")} proved, ${count("FAIL")} failed, ${count("skipped")} tiers skipped`);
  return held ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main();
