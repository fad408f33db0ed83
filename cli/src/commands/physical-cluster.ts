// railctl physical-cluster: physical clusters, for operators.
import {
  PhysicalCluster,
  PhysicalClusterServiceService as service,
} from "@railyard/proto/gen/railyard/admin/v1/physical_cluster";
import { IsolationKind } from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import type { Command } from "commander";
import { present } from "../answer.js";
import type { View } from "../output.js";
import { listAll } from "../pages.js";
import type { Run } from "../program.js";
import { type Lookup, resolveId, whetherFound } from "../resolve.js";
import type { Session } from "../session.js";
import { countOf, wordOf, yesNo } from "../words.js";

const VIEW: View<PhysicalCluster> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "TYPE", cell: ({ type }) => type },
    { title: "ZONE", cell: ({ zone }) => zone },
    { title: "ENABLED", cell: ({ enabled }) => yesNo(enabled) },
    { title: "NODES", cell: ({ nodeCount }) => countOf(nodeCount) },
    { title: "READY", cell: ({ readyNodeCount }) => countOf(readyNodeCount) },
    { title: "FREE", cell: ({ freeNodeCount }) => countOf(freeNodeCount) },
    { title: "CORDONED", cell: ({ cordonedNodeCount }) => countOf(cordonedNodeCount) },
    { title: "NETWORKS", cell: ({ clusterNetworkCount }) => countOf(clusterNetworkCount) },
  ],
  details: [
    { title: "ISOLATION", cell: isolationOf },
    {
      title: "LEAF GROUPS",
      cell: ({ leafGroups }) =>
        leafGroups
          .map((it) => `${it.name}: ${it.freeNodeCount} of ${it.nodeCount} nodes free`)
          .join("\n"),
    },
  ],
  json: PhysicalCluster.toJSON,
};

function isolationOf({ isolation }: PhysicalCluster): string {
  if (!isolation) return "";
  const { kind, first, last, usedCount, quarantinedCount, freeCount } = isolation;
  const counts = `${usedCount} used, ${quarantinedCount} resting, ${freeCount} free`;
  return `${wordOf(IsolationKind, kind)} ${first}-${last}: ${counts}`;
}

/** Adds the noun. */
export function addPhysicalCluster(program: Command, run: Run): void {
  const noun = program.command("physical-cluster").description("physical clusters (operators)");
  noun
    .command("list")
    .description("list physical clusters")
    .option("--zone <zone>", "only those in this zone")
    .action(run(list));
  noun.command("get <cluster>").description("show a physical cluster").action(run(get));
}

function clusters(session: Session, only: { readonly zone?: string; readonly name?: string }) {
  return listAll(session.admin, {
    method: service.listPhysicalClusters,
    filters: { zone: only.zone ?? "", name: only.name ?? "" },
    items: ({ physicalClusters }) => physicalClusters,
  });
}

async function list(session: Session, flags: { readonly zone?: string }): Promise<void> {
  const zone = flags.zone ?? "";
  session.output.many(VIEW, await clusters(session, { zone }));
}

function read(session: Session, id: string) {
  return session.admin.call(service.getPhysicalCluster, { id });
}

async function get(session: Session, _: object, [text = ""]: readonly string[]): Promise<void> {
  const lookup: Lookup = {
    kind: "physical cluster",
    named: async (name) => (await clusters(session, { name })).map(({ id }) => id),
    exists: (id) => whetherFound(read(session, id)),
  };
  const { physicalCluster } = await read(session, await resolveId(lookup, text));
  session.output.one(VIEW, present(physicalCluster));
}
