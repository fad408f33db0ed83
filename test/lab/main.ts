// `npm run lab`: every tier of the lab that this machine can run, two at a time. A line for each
// proof. It knows the tiers by name and nothing of what they do.
import { availableParallelism, freemem } from "node:os";
import { parseArgs } from "node:util";
import type { Told } from "./one-tier.js";
import type { Tier } from "./tier.js";
import { runTierProcess } from "./tier-process.js";
import { LANES, TIERS } from "./tiers.js";

/** Of one tier, once what it needs is there. */
const TIER_LIMIT_MS = 20 * 60_000;
/** Of them all, what they need included. */
const LIMIT_MS = 40 * 60_000;
/** Of all machines that may run at the same time, with room to spare. */
const MEMORY_BYTES = 6 * 1024 ** 3;
const NAME_WIDTH = Math.max(...TIERS.map(({ name }) => name.length));

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

const interrupted = new AbortController();
const end = AbortSignal.any([AbortSignal.timeout(LIMIT_MS), interrupted.signal]);
const proofs: Proof[] = [];
const say = (line: string) => values.json || console.log(line);
const labelled = (tier: string, line: string) => `${tier.padEnd(NAME_WIDTH)}  ${line}`;

function prove(proof: Proof): void {
  proofs.push(proof);
  const { tier, outcome, sentence, seconds } = proof;
  say(labelled(tier, `${outcome.padEnd(7)} ${sentence} (${seconds.toFixed(1)} s)`));
}

const noteOf = (tier: string) => (line: string) => say(labelled(tier, `        … ${line}`));

/** Those that can run here; one after the other, since several may install packages. */
async function runnable(tiers: readonly Tier[]): Promise<readonly Tier[]> {
  const able: Tier[] = [];
  for (const tier of tiers) {
    const lack = await tier.needs(noteOf(tier.name)).catch(String);
    if (lack === undefined) able.push(tier);
    else prove({ tier: tier.name, sentence: lack, outcome: "skipped", seconds: 0 });
  }
  return able;
}

async function take({ name: tier, about }: Tier): Promise<void> {
  say(labelled(tier, about));
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const onTold = (told: Told) => {
    if (told.kind === "note") return noteOf(tier)(told.line);
    const { sentence, held } = told;
    prove({ tier, sentence, outcome: held ? "ok" : "FAIL", seconds: told.seconds });
  };
  const onComplaint = (line: string) => console.error(labelled(tier, line));
  const signal = AbortSignal.any([end, AbortSignal.timeout(TIER_LIMIT_MS)]);
  const how = await runTierProcess({ name: tier, signal, onTold, onComplaint });
  const failed = proofs.some((proof) => proof.tier === tier && proof.outcome === "FAIL");
  if (how !== undefined && !failed) {
    prove({ tier, sentence: how, outcome: "FAIL", seconds: seconds() });
  }
  say(labelled(tier, `${how === undefined ? "held" : "did not hold"} (${seconds().toFixed(1)} s)`));
}

async function takeAll(tiers: readonly Tier[]): Promise<void> {
  for (const tier of tiers) {
    if (!end.aborted) await take(tier);
    else prove({ tier: tier.name, sentence: "not begun in time", outcome: "FAIL", seconds: 0 });
  }
}

async function main(): Promise<number> {
  const { only = TIERS.map(({ name }) => name), list, json } = values;
  const unknown = only.find((wanted) => !TIERS.some(({ name }) => name === wanted));
  if (list || unknown !== undefined) {
    if (unknown !== undefined) console.error(`no tier is called ${unknown}; there are:`);
    for (const { name, about } of TIERS) console.log(`${name.padEnd(NAME_WIDTH)}  ${about}`);
    return unknown === undefined ? 0 : 2;
  }
  const able = await runnable(TIERS.filter(({ name }) => only.includes(name)));
  // Tiers have something to put away; until here there was nothing.
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => interrupted.abort());
  }
  const isSmall = availableParallelism() < LANES.length || freemem() < MEMORY_BYTES;
  const lanes = isSmall ? [TIERS] : LANES;
  await Promise.all(lanes.map((lane) => takeAll(lane.filter((tier) => able.includes(tier)))));
  if (json) console.log(JSON.stringify(proofs, undefined, 2));
  const count = (wanted: Proof["outcome"]) =>
    proofs.filter(({ outcome }) => outcome === wanted).length;
  say(`${count("ok")} proved, ${count("FAIL")} failed, ${count("skipped")} tiers skipped`);
  return count("FAIL") === 0 ? 0 : 1;
}

process.exitCode = await main();
