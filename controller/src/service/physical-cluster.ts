// Physical clusters as operators see them, with what is declared, alive and free in each. Tenants
// never get here.
import { notFound } from "@railyard/lib/errors";
import type { PhysicalClusterId } from "@railyard/lib/ids";
import type { Node } from "../domain/node.js";
import type { PhysicalCluster } from "../domain/physical-cluster.js";
import type { FleetIndex } from "../placement/fleet-index.js";
import type { Page, ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import { everyNetwork } from "./everything.js";
import { fleetOf, freeWholeNodes } from "./fleet.js";
import type { Listing } from "./listing.js";
import { stateOf } from "./node.js";
import { pageByName } from "./page-by-name.js";

export interface PhysicalClusterView {
  readonly cluster: PhysicalCluster;
  readonly nodes: number;
  readonly ready: number;
  readonly cordoned: number;
  readonly wholeFree: number;
  readonly networks: number;
  readonly isolationFree: number;
  readonly leafGroups: readonly {
    readonly name: string;
    readonly nodes: number;
    readonly wholeFree: number;
  }[];
}

/** One page of physical clusters, by name. */
export function listPhysicalClusters(
  ctx: ServiceContext,
  wish: Listing & { readonly filter: { readonly zone?: string; readonly name?: string } },
): Promise<Page<PhysicalClusterView>> {
  const { zone, name } = wish.filter;
  return ctx.store.read(async (tx) => {
    const matching = (await tx.physicalClusters.all()).filter(
      (cluster) =>
        (zone === undefined || cluster.zone === zone) &&
        (name === undefined || cluster.name === name),
    );
    const page = pageByName(matching, wish);
    const around = await aroundOf(tx, ctx);
    const rows: PhysicalClusterView[] = [];
    for (const cluster of page.rows) rows.push(await viewOf(tx, cluster, around));
    return { ...page, rows };
  });
}

/** Throws `notFound`. */
export function getPhysicalCluster(
  ctx: ServiceContext,
  id: PhysicalClusterId,
): Promise<PhysicalClusterView> {
  return ctx.store.read(async (tx) => {
    const cluster = await tx.physicalClusters.get(id);
    if (!cluster) throw notFound("physical_cluster", id);
    return viewOf(tx, cluster, await aroundOf(tx, ctx));
  });
}

interface Around {
  readonly ctx: ServiceContext;
  readonly nodes: readonly Node[];
  readonly fleet: FleetIndex;
  readonly networksOf: ReadonlyMap<PhysicalClusterId, number>;
}

async function aroundOf(tx: ReadTx, ctx: ServiceContext): Promise<Around> {
  const networksOf = new Map<PhysicalClusterId, number>();
  for await (const { physicalClusterId: id } of everyNetwork(tx)) {
    networksOf.set(id, (networksOf.get(id) ?? 0) + 1);
  }
  const nodes = (await tx.nodes.all()).filter(({ retired }) => !retired);
  return { ctx, nodes, fleet: await fleetOf(tx, ctx), networksOf };
}

async function viewOf(
  tx: ReadTx,
  cluster: PhysicalCluster,
  { ctx, nodes, fleet, networksOf }: Around,
): Promise<PhysicalClusterView> {
  const mine = nodes.filter(({ physicalClusterId }) => physicalClusterId === cluster.id);
  return {
    cluster,
    nodes: mine.length,
    ready: mine.filter((node) => stateOf(ctx, node) === "ready").length,
    cordoned: mine.filter(({ cordoned }) => cordoned).length,
    wholeFree: freeWholeNodes(fleet, cluster.id),
    networks: networksOf.get(cluster.id) ?? 0,
    isolationFree: await tx.isolation.free(cluster.id),
    leafGroups: cluster.leafGroups.map(({ name }) => {
      const inGroup = mine.filter(({ leafGroup }) => leafGroup === name);
      const wholeFree = freeWholeNodes(fleet, cluster.id, name);
      return { name, nodes: inGroup.length, wholeFree };
    }),
  };
}
