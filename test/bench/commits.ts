// Measured: what sharing commits is worth. The same creates with shared commits and with one commit
// for each, and how many rows a second the store takes from concurrent writers.
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { type Effort, interleaved } from "./compare.js";
import { type Figure, figure, least, median, most } from "./figure.js";
import { createBare } from "./instances.js";
import { IN_FLIGHT } from "./load.js";
import { BenchYard } from "./yard.js";

const CREATES = 1_000;
const PER_NODE = 22;
/** One sync for a commit; for a checkpoint the log, the database, then the log's new header. */
const CHECKPOINT_SYNCS = 3;

export async function measureCommits(effort: Effort): Promise<readonly Figure[]> {
  const n = Math.ceil(CREATES / effort.less);
  const nodes = Math.ceil((n * (effort.windows + effort.warm)) / PER_NODE) + 1;
  const sharing = await BenchYard.open({ nodes });
  const single = await BenchYard.open({ nodes, batchMax: 1 });
  try {
    const perThousand: number[] = [];
    const { createInstance } = InstanceServiceService;
    const loaded = async (yard: BenchYard) =>
      yard.load(yard.callOf(createInstance, createBare()), n);
    const ours = async () => {
      const before = sharing.checkpoints;
      const { callsPerSecond, commits } = await loaded(sharing);
      const checkpoints = sharing.checkpoints - before;
      perThousand.push(((commits + CHECKPOINT_SYNCS * checkpoints) / n) * 1_000);
      return callsPerSecond;
    };
    const theirs = async () => (await loaded(single)).callsPerSecond;
    const { ratio, ...rates } = await interleaved(effort, { ours, theirs });
    const note = `${rates.ours.toFixed(0)}/s of ${rates.theirs.toFixed(0)}/s`;
    const fsyncs = { value: median(perThousand.slice(1)), unit: "fsyncs", goal: most(60) };
    return [
      figure("Shared commits of one commit per call", {
        ...{ value: ratio, unit: "×", goal: least(3), note },
      }),
      figure(`fsyncs per 1 000 creates, ${IN_FLIGHT} in flight`, fsyncs),
    ];
  } finally {
    await sharing.close();
    await single.close();
  }
}
