// Physical clusters in the database. The bounds of the isolation range have columns for the pool.
import type { PhysicalClusterId } from "@railyard/lib/ids";
import type { PhysicalCluster } from "../../domain/physical-cluster.js";
import { type Table, text } from "../codec.js";
import type { PhysicalClusterReads } from "../contract.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

const TABLE: Table<PhysicalCluster> = {
  name: "physical_clusters",
  kind: "physicalCluster",
  owned: false,
  columns: { id: text(), name: text() },
  derived: ({ isolation }) => ({ isolation_min: isolation.min, isolation_max: isolation.max }),
};

export class PhysicalClusters
  extends NounRows<PhysicalCluster, PhysicalClusterId, object>
  implements PhysicalClusterReads
{
  constructor(work: Work) {
    super(work, TABLE);
  }

  /** By name. */
  all(): Promise<readonly PhysicalCluster[]> {
    return this.where("TRUE ORDER BY name", []);
  }
}
