// How scattered the free room of each physical cluster is, for operators. Reads only.

import type { PhysicalCluster } from "../domain/physical-cluster.js";
import { type Fragmentation, fragmentationOf } from "../placement/fragmentation.js";
import type { ServiceContext } from "./context.js";
import { fleetOf } from "./fleet.js";

/** Most clusters in one answer, the first by name. */
const CLUSTERS_MAX = 256;

export interface ClusterFragmentation {
  readonly cluster: PhysicalCluster;
  /** Absent for a cluster without nodes. */
  readonly found: Fragmentation | undefined;
}

/** Of the declared clusters of that zone and name, by name; empty strings mean any. */
export function getFragmentation(
  ctx: ServiceContext,
  only: { readonly zone: string; readonly name: string },
): Promise<readonly ClusterFragmentation[]> {
  return ctx.store.read(async (tx) => {
    const clusters = (await tx.physicalClusters.all()).filter(({ zone, name }) => {
      return (only.zone === "" || zone === only.zone) && (only.name === "" || name === only.name);
    });
    const all = fragmentationOf(await fleetOf(tx, ctx));
    const found = new Map(all.map((one) => [one.physicalClusterId, one]));
    return [...clusters]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .slice(0, CLUSTERS_MAX)
      .map((cluster) => ({ cluster, found: found.get(cluster.id) }));
  });
}
