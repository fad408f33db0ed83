// PhysicalClusterService: physical clusters between wire and use case. For operators only.
import type {
  PhysicalClusterServiceServer,
  PhysicalCluster as WireCluster,
} from "@railyard/proto/gen/railyard/admin/v1/physical_cluster";
import { IsolationKind } from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import type { ServiceContext } from "../service/context.js";
import {
  getPhysicalCluster,
  listPhysicalClusters,
  type PhysicalClusterView,
} from "../service/physical-cluster.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { pageToken, readPage } from "./paging.js";

const ISOLATION = {
  vlan: IsolationKind.ISOLATION_KIND_VLAN,
  vni: IsolationKind.ISOLATION_KIND_VNI,
  pkey: IsolationKind.ISOLATION_KIND_PKEY,
} as const;

export function physicalClusterHandlers(
  ctx: ServiceContext,
): Handlers<PhysicalClusterServiceServer> {
  return {
    async listPhysicalClusters(request, rpc) {
      const { zone, name } = request;
      const bound = JSON.stringify([zone, name]);
      const filter = { ...(zone !== "" && { zone }), ...(name !== "" && { name }) };
      const page = await listPhysicalClusters(ctx, { ...readPage(rpc, request, bound), filter });
      const rows = page.rows.map(({ cluster }) => {
        return { createdAt: 0, name: cluster.name, id: cluster.id };
      });
      return {
        physicalClusters: page.rows.map(toWire),
        nextPageToken: pageToken(rpc, bound, { rows, more: page.more }),
        totalSize: BigInt(page.total),
      };
    },

    async getPhysicalCluster({ id }) {
      const view = await getPhysicalCluster(ctx, idFrom("physicalCluster", id));
      return { physicalCluster: toWire(view) };
    },
  };
}

function toWire(view: PhysicalClusterView): WireCluster {
  const { cluster, networks, isolationFree } = view;
  const { id, name, type, zone, enabled, isolation } = cluster;
  const ids = isolation.max - isolation.min + 1;
  return {
    id,
    name,
    type,
    zone,
    enabled,
    isolation: {
      kind: ISOLATION[isolation.kind],
      first: isolation.min,
      last: isolation.max,
      usedCount: networks,
      quarantinedCount: Math.max(0, ids - isolationFree - networks),
      freeCount: isolationFree,
    },
    leafGroups: cluster.leafGroups.map((group, i) => ({
      name: group.name,
      rails: group.rails.map(({ rail, leaves }) => ({ rail, leaves: [...leaves] })),
      nodeCount: view.leafGroups[i]?.nodes ?? 0,
      freeNodeCount: view.leafGroups[i]?.wholeFree ?? 0,
    })),
    nodeCount: view.nodes,
    readyNodeCount: view.ready,
    cordonedNodeCount: view.cordoned,
    freeNodeCount: view.wholeFree,
    clusterNetworkCount: networks,
  };
}
