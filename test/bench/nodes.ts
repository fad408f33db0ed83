// Healthy nodes without agents, written straight into the store, so that there is room for
// thousands of instances. They are of the example's kind and cluster.
import type { Node } from "@railyard/controller/domain/node";
import type { ServiceContext } from "@railyard/controller/service/context";
import type { NodeId, SessionId } from "@railyard/lib/ids";
import Database from "better-sqlite3";
import { GROUP_NODES } from "./placement-fleet.js";

const RAILS = 8;
const PER_WRITE = 200;
const CLUSTER = "wdc07-hopper-a";
const HARDWARE = "hgx-h100";

/**
 * Adds `count` nodes, whose names go on after `from`, in leaf groups as large as in placement's
 * bench.
 */
export async function plantNodes(
  ctx: ServiceContext,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<void> {
  const at = ctx.clock.now();
  for (let first = from; first < from + count; first += PER_WRITE) {
    const last = Math.min(first + PER_WRITE, from + count);
    await ctx.store.write({ by: "system:bench", method: "bench.nodes", at }, async (tx) => {
      const clusters = await tx.physicalClusters.all();
      const cluster = clusters.find(({ name }) => name === CLUSTER);
      const kind = await tx.hardware.get(HARDWARE);
      if (!cluster || !kind) throw new Error("the example was not applied");
      const limits = { vcpu: kind.vcpu, memoryMib: kind.memoryGib * 1024, diskGib: kind.diskGib };
      for (let i = first; i < last; i++) {
        const node = nodeOf(i, { at, cluster: cluster.id, zone: cluster.zone });
        await tx.nodes.insert(node);
        await tx.claims.setLimits(node.id, limits);
      }
    });
  }
  beatNodes(ctx, { from, count });
}

/**
 * Copies the first two nodes into the closed database at `path`, into leaf groups of the same
 * size.
 */
export function copyNodes(
  path: string,
  { from, count }: { readonly from: number; readonly count: number },
): void {
  const db = new Database(path);
  const each = `WITH RECURSIVE at (i) AS (SELECT ${from} UNION ALL
    SELECT i + 1 FROM at WHERE i + 1 < ${from + count})`;
  const of = `FROM at JOIN nodes ON nodes.id = 'node-bench-' || (i % 2)`;
  try {
    db.exec(`${each} INSERT INTO nodes
      SELECT 'node-bench-' || i, 'bench-' || i, 'B' || i, physical_cluster_id,
        applied_generation,
        replace(replace(replace(body, '"ses-' || (i % 2) || '"', '"ses-' || i || '"'),
          '"U' || (i % 2) || '"', '"U' || i || '"'),
          '"su1"', '"su' || (i / ${GROUP_NODES} + 1) || '"'), role ${of}`);
    db.exec(`${each} INSERT INTO node_generations
      SELECT 'node-bench-' || i, generation, accepted_generation, since ${of}
        JOIN node_generations ON node_id = nodes.id`);
    db.exec(`${each} INSERT INTO node_amounts
      SELECT 'node-bench-' || i, vcpu_max, memory_mib_max, disk_gib_max, 0, 0, 0 ${of}
        JOIN node_amounts ON node_id = nodes.id`);
  } finally {
    db.close();
  }
}

/** Hears every one of these nodes once. */
export function beatNodes(
  ctx: ServiceContext,
  { from, count }: { readonly from: number; readonly count: number },
): void {
  for (let i = from; i < from + count; i++) {
    const pulse = { epoch: 1n, acceptedGeneration: 0n, appliedGeneration: 0n, digest: "" };
    ctx.leases.beat(idOf(i), { session: sessionOf(i), ...pulse });
  }
}

/** Of the first `count` nodes, how many gave a sign of life in the last `withinMs`. */
export function heardOf(
  { clock, leases }: ServiceContext,
  { count, withinMs }: { readonly count: number; readonly withinMs: number },
): number {
  const since = clock.now() - withinMs;
  const beats = Array.from({ length: count }, (_, i) => leases.last(idOf(i))?.at ?? 0);
  return beats.filter((at) => at >= since).length;
}

export function idOf(i: number): NodeId {
  return `node-bench-${i}` as NodeId;
}

export function sessionOf(i: number): SessionId {
  return `ses-${i}` as SessionId;
}

function nodeOf(
  i: number,
  at: { readonly at: number; readonly cluster: Node["physicalClusterId"]; readonly zone: string },
): Node {
  return {
    id: idOf(i),
    name: `bench-${i}`,
    serial: `B${i}`,
    zone: at.zone,
    physicalClusterId: at.cluster,
    leafGroup: `su${Math.floor(i / GROUP_NODES) + 1}`,
    hardware: HARDWARE,
    cabling: [],
    ...{ retired: false, cordoned: false, cordonReason: "" },
    publicKey: `U${i}`,
    incarnation: 1,
    session: sessionOf(i),
    superseded: [],
    ...{ bootId: "boot", agentVersion: "1", fake: true },
    inventory: {
      ...{ numaCount: 2, vcpu: 176, memoryMib: 1920 * 1024, diskGib: 24_576 },
      ...{ gpus: [], nics: [], pairs: [], warnings: [] },
    },
    mismatches: [],
    pairs: Array.from({ length: RAILS }, (_, rail) => ({
      rail,
      gpu: `gpu-${rail}`,
      nic: `nic-${rail}`,
      healthy: true,
    })),
    flags: [],
    ...{ generation: 0n, acceptedGeneration: 0n, appliedGeneration: 0n },
    registeredAt: at.at,
  };
}
