// Measured: one instance, and a page of a hundred of them, read again and again, against an echo of
// the same messages.
import {
  GetInstanceRequest,
  InstanceServiceService,
  ListInstancesRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import type { Method } from "../wire.js";
import { cpuNote, type Effort, interleaved, withEcho } from "./compare.js";
import { type Figure, figure, type Goal, least } from "./figure.js";
import { createBare } from "./instances.js";
import { BenchYard } from "./yard.js";

const PAGE = 100;
const GETS = 20_000;
const LISTS = 600;

export async function measureReads(effort: Effort): Promise<readonly Figure[]> {
  const yard = await BenchYard.open({ nodes: 8 });
  try {
    const { createInstance, getInstance, listInstances } = InstanceServiceService;
    await yard.load(yard.callOf(createInstance, createBare()), PAGE);
    const page = ListInstancesRequest.fromPartial({ pageSize: PAGE });
    const listed = listInstances.responseDeserialize(
      Buffer.from(await yard.answerTo(listInstances, page)),
    );
    const id = listed.instances[0]?.id ?? "";
    const get = GetInstanceRequest.fromPartial({ id });
    await yard.profile("reads");
    const of = (name: string, calls: number, goal: Goal) => ({ name, calls, goal });
    return [
      await against([yard, effort], of("GetInstance of echo", GETS, least(0.8)), [
        getInstance,
        get,
      ]),
      await against([yard, effort], of("ListInstances of 100 of echo", LISTS, least(0.1)), [
        listInstances,
        page,
      ]),
    ];
  } finally {
    await yard.close();
  }
}

/** How the yard answers, against an echo that gives the same answer. */
async function against<Request, Response>(
  [yard, effort]: readonly [BenchYard, Effort],
  { name, calls, goal }: { name: string; calls: number; goal: Goal },
  [method, request]: readonly [Method<Request, Response>, Request],
): Promise<Figure> {
  const call = yard.callOf(method, request);
  const response = await yard.answerTo(method, request);
  const n = Math.ceil(calls / effort.less);
  return withEcho(yard, { call, response }, async (echo) => {
    const ours = async () => (await yard.load(call, n)).callsPerSecond;
    const found = await interleaved(effort, { ours, theirs: () => echo(n) });
    const rates = `${found.ours.toFixed(0)}/s of ${found.theirs.toFixed(0)}/s`;
    const note = `${rates}, ${cpuNote(yard, echo)}, ${response.length} B`;
    return figure(name, { value: found.ratio, unit: "×", goal, note });
  });
}
