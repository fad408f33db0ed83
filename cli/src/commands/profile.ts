// railctl profile: cluster network profiles on offer.
import {
  ClusterNetworkProfile,
  FabricKind,
  IsolationKind,
  RailAlignment,
  ClusterNetworkProfileServiceService as service,
} from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import type { Command } from "commander";
import { present } from "../answer.js";
import type { View } from "../output.js";
import { listAll } from "../pages.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { countOf, wordOf, yesNo } from "../words.js";

const VIEW: View<ClusterNetworkProfile> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "FAMILY", cell: ({ family }) => family },
    { title: "ZONES", cell: ({ zones }) => zones.join(",") },
    { title: "FABRIC", cell: ({ capabilities: it }) => wordOf(FabricKind, it?.fabricKind ?? 0) },
    { title: "RAILS", cell: ({ capabilities }) => countOf(capabilities?.rails) },
    { title: "GBPS/RAIL", cell: ({ capabilities }) => countOf(capabilities?.speedGbps) },
    { title: "MTU", cell: ({ capabilities }) => countOf(capabilities?.mtu) },
    {
      title: "INSTANCE PROFILES",
      cell: (it) => it.supportedInstanceProfiles.map(({ name }) => name).join(","),
    },
  ],
  details: [
    { title: "RDMA", cell: ({ capabilities }) => yesNo(capabilities?.rdma ?? false) },
    {
      title: "SUBNET ROUTING",
      cell: ({ capabilities }) => yesNo(capabilities?.subnetRouting ?? false),
    },
    {
      title: "RAIL ALIGNMENT",
      cell: ({ capabilities }) => wordOf(RailAlignment, capabilities?.railAlignment ?? 0),
    },
    {
      title: "ISOLATION",
      cell: ({ capabilities }) => wordOf(IsolationKind, capabilities?.isolationKind ?? 0),
    },
    { title: "STATE", cell: (it) => wordOf(LifecycleState, it.lifecycleState), state: true },
  ],
  json: ClusterNetworkProfile.toJSON,
};

/** Adds the noun. */
export function addProfile(program: Command, run: Run): void {
  const noun = program.command("profile").description("cluster network profiles on offer");
  noun
    .command("list")
    .description("list cluster network profiles")
    .option("--zone <zone>", "only those offered in this zone")
    .action(run(list));
  noun.command("get <profile>").description("show a cluster network profile").action(run(get));
}

async function list(session: Session, flags: { readonly zone?: string }): Promise<void> {
  const profiles = await listAll(session.tenant, {
    method: service.listClusterNetworkProfiles,
    filters: { zone: flags.zone ?? "" },
    items: ({ clusterNetworkProfiles }) => clusterNetworkProfiles,
  });
  session.output.many(VIEW, profiles);
}

async function get(session: Session, _: object, [name = ""]: readonly string[]): Promise<void> {
  const answer = await session.tenant.call(service.getClusterNetworkProfile, { name });
  session.output.one(VIEW, present(answer.clusterNetworkProfile));
}
