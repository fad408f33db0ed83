// Measured: what a million stored resources cost a controller that has the rest to do as well: how
// soon it is ready, its memory, and how long its event loop is held up under the same load.
import {
  GetInstanceRequest,
  InstanceServiceService,
  ListInstancesRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import type { Effort } from "./compare.js";
import { type Figure, figure, median, most } from "./figure.js";
import { createBare } from "./instances.js";
import type { Call } from "./load.js";
import {
  ACCOUNT_RESOURCES,
  idLike,
  type Originals,
  scanSeconds,
  seed,
  seededAccount,
} from "./seed.js";
import { BenchYard } from "./yard.js";

const MANY = 1_000_000;
const FEW = 10_000;
const NODES = 200;
const PAGE = 100;
const CALLS = 600;
/** Quick runs show that it works with fewer. */
const QUICK_MANY = 40_000;
const BYTES_MAX = 1_024;

export async function measureMillion(effort: Effort): Promise<readonly Figure[]> {
  const few = await filled(FEW);
  const many = await filled(effort.less > 1 ? QUICK_MANY : MANY).catch(async (err) => {
    await few.yard.close();
    throw err;
  });
  try {
    const memory = [await rss(few.yard), await rss(many.yard)] as const;
    const perResource = (memory[1] - memory[0]) / (many.resources - few.resources);
    const delays = await delaysOf(effort, { few, many });
    const size = `${many.resources} resources, ${(many.bytes / 2 ** 30).toFixed(2)} GiB`;
    const ready = `ready ${many.yard.readyMs.toFixed(0)} ms, scan ${many.scanMs.toFixed(0)} ms`;
    const rssText = memory.map((bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`).join(" and ");
    const held = `${delays.many.toFixed(1)} ms of ${delays.few.toFixed(1)} ms`;
    return [
      figure("Ready, of a bare scan of the file", {
        ...{ value: many.yard.readyMs / many.scanMs, unit: "×", goal: most(2) },
        note: `${ready}; ${size}`,
      }),
      figure("Memory per resource", {
        ...{ value: perResource, unit: "B", goal: most(BYTES_MAX) },
        note: `${rssText} resident, with ${FEW} and all`,
      }),
      figure(`Event loop held up, 999 of 1000, of ${FEW}`, {
        ...{ value: delays.ratio, unit: "×", goal: most(3), note: held },
      }),
    ];
  } finally {
    await few.yard.close();
    await many.yard.close();
  }
}

interface Filled {
  readonly yard: BenchYard;
  readonly resources: number;
  readonly bytes: number;
  readonly scanMs: number;
  readonly calls: readonly Call[];
}

/** A controller, just started, over a database with so many resources. */
async function filled(wanted: number): Promise<Filled> {
  const empty = await BenchYard.open({ execArgv: ["--expose-gc"] });
  const originals = await make(empty);
  await empty.addNodes(NODES);
  const tokens = await Promise.all([0, 1].map((at) => empty.tokenFor(seededAccount(at))));
  await empty.stop();
  const accounts = Math.ceil(wanted / ACCOUNT_RESOURCES);
  const resources = seed(empty.database, originals, accounts);
  scanSeconds(empty.database);
  const scanMs = scanSeconds(empty.database) * 1_000;
  const yard = await empty.reopened();
  const get = GetInstanceRequest.fromPartial({ id: idLike(originals.instance, 7) });
  const list = ListInstancesRequest.fromPartial({ pageSize: PAGE });
  const { getInstance, listInstances, createInstance } = InstanceServiceService;
  const calls = [
    { ...yard.callOf(getInstance, get), token: tokens[0] ?? "" },
    { ...yard.callOf(listInstances, list), token: tokens[1] ?? "" },
    yard.callOf(createInstance, createBare()),
  ];
  return { yard, resources, scanMs, calls, bytes: yard.databaseBytes };
}

/** One of each, as its tenant makes it. There are no nodes yet, so the instance takes no room. */
async function make(yard: BenchYard): Promise<Originals> {
  const { customer } = yard;
  const network = await customer.network();
  const subnet = await customer.subnet(network.id);
  const made = await customer.interface(network.id, subnet.id);
  const { instance } = await yard.call(InstanceServiceService.createInstance, createBare());
  return {
    account: yard.account,
    network: network.id,
    subnet: subnet.id,
    ip: made.primaryIp?.id ?? "",
    interface: made.id,
    instance: instance?.id ?? "",
  };
}

/** Both under the same load in turns; milliseconds, medians of the windows. */
async function delaysOf(
  effort: Effort,
  { few, many }: { readonly few: Filled; readonly many: Filled },
) {
  const each = Math.ceil(CALLS / effort.less);
  const held = async ({ yard, calls }: Filled) => {
    await yard.remote.ask("watchDelay");
    await yard.loadEach(calls, each);
    return yard.remote.ask<number>("delayMs");
  };
  const [fews, manys]: [number[], number[]] = [[], []];
  for (let window = 0; window <= effort.windows; window++) {
    const [with10k, withAll] = [await held(few), await held(many)];
    if (window === 0) continue;
    fews.push(with10k);
    manys.push(withAll);
  }
  const ratios = manys.map((ms, i) => ms / (fews[i] ?? Number.NaN));
  return { few: median(fews), many: median(manys), ratio: median(ratios) };
}

async function rss(yard: BenchYard): Promise<number> {
  return (await yard.remote.ask<NodeJS.MemoryUsage>("memory")).rss;
}
