// railctl placement fragmentation: how scattered free room is, with a plot, for operators.
import {
  ClusterFragmentation,
  type FreeBlocks,
  PlacementAdminServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import type { Command } from "commander";
import type { View } from "../output.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf } from "../words.js";

const VIEW: View<ClusterFragmentation> = {
  columns: [
    { title: "CLUSTER", cell: ({ physicalCluster }) => physicalCluster },
    { title: "ZONE", cell: ({ zone }) => zone },
    { title: "LEAF GROUPS", cell: ({ leafGroupCount }) => countOf(leafGroupCount) },
    { title: "FREE GPUS", cell: ({ freeGpuCount }) => countOf(freeGpuCount) },
    { title: "FREE NODES", cell: ({ freeNodeCount }) => countOf(freeNodeCount) },
    { title: "PARTLY USED", cell: ({ partlyUsedNodeCount }) => countOf(partlyUsedNodeCount) },
    { title: "LARGEST GANG", cell: ({ largestGang }) => countOf(largestGang) },
  ],
  json: ClusterFragmentation.toJSON,
};

/** Adds the verb. */
export function addFragmentation(noun: Command, run: Run): void {
  noun
    .command("fragmentation")
    .description("show how many gangs fit within one leaf group, by size (operators)")
    .option("--zone <zone>", "only this zone")
    .option("--physical-cluster <name>", "only this physical cluster, by name")
    .action(run(fragmentation));
}

interface Where {
  readonly zone?: string;
  readonly physicalCluster?: string;
}

async function fragmentation(session: Session, where: Where): Promise<void> {
  const { zone = "", physicalCluster = "" } = where;
  const request = { zone, physicalCluster };
  const { clusters } = await session.admin.call(service.getFragmentation, request);
  session.output.many(VIEW, clusters);
  if (session.output.format === "table") session.output.lines(clusters.flatMap(plotOf));
}

const WIDTH = 32;

/**
 * One line for each size of gang: how many fit as things are, full blocks, out of how many would if
 * nothing were scattered, the whole line.
 */
export function plotOf({ physicalCluster, shapes }: ClusterFragmentation): readonly string[] {
  return shapes.flatMap(({ gpuCount, fitCount, blocks }) => [
    "",
    `${physicalCluster}: gangs of instances with ${gpuCount} GPUs, ${fitCount} of which fit`,
    ...blocks.map(lineOf),
  ]);
}

function lineOf({ memberCount, blockCount, unscatteredCount }: FreeBlocks): string {
  const full = Math.round((WIDTH * blockCount) / Math.max(1, unscatteredCount));
  const bar = "█".repeat(full) + "░".repeat(WIDTH - full);
  return `${String(memberCount).padStart(6)} ${bar} ${blockCount} of ${unscatteredCount}`;
}
