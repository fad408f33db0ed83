// Cluster networks in the database.
import type { AccountId, ClusterNetworkId } from "@railyard/lib/ids";
import type { ClusterNetwork } from "../../domain/cluster-network.js";
import { int, type Table, text } from "../codec.js";
import type { NetworkFilter, NetworkReads } from "../contract.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

const TABLE: Table<ClusterNetwork> = {
  name: "cluster_networks",
  kind: "clusterNetwork",
  owned: true,
  columns: {
    id: text(),
    account: text(),
    createdAt: int(),
    name: text(),
    vpcId: text(),
    resourceGroupId: text(),
    physicalClusterId: text(),
  },
};

export class ClusterNetworks
  extends NounRows<ClusterNetwork, ClusterNetworkId, NetworkFilter>
  implements NetworkReads
{
  constructor(work: Work, account?: AccountId) {
    super(work, TABLE, account);
  }
}
