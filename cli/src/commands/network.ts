// railctl network: cluster networks.
import {
  AllocationPolicy,
  ClusterNetwork,
  ClusterNetworkServiceService as service,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import { LifecycleReasonCode, LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import type { Command } from "commander";
import { present } from "../answer.js";
import { deleteObject } from "../delete-object.js";
import {
  type ChangeFlags,
  type CreateFlags,
  change,
  changing,
  creating,
  creation,
  updates,
} from "../flags.js";
import type { View } from "../output.js";
import { listAll, ORDER_BY, type OrderFlags } from "../pages.js";
import type { Run } from "../program.js";
import { type Lookup, resolveId, whetherFound } from "../resolve.js";
import type { Session } from "../session.js";
import { printChanges, printChangesOf, WATCH, type WatchFlags } from "../watch.js";
import { nameOf, reasonsOf, timeOf, wordOf } from "../words.js";

const KIND = "cluster network";

const VIEW: View<ClusterNetwork> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "PROFILE", cell: ({ profile }) => profile?.name ?? "" },
    { title: "ZONE", cell: ({ zone }) => zone },
    { title: "VPC", cell: ({ vpc }) => nameOf(vpc) },
    { title: "PREFIX", cell: ({ subnetPrefixes }) => subnetPrefixes[0]?.cidr ?? "" },
    { title: "STATE", cell: (it) => wordOf(LifecycleState, it.lifecycleState), state: true },
  ],
  details: [
    { title: "REASONS", cell: (it) => reasonsOf(LifecycleReasonCode, it.lifecycleReasons) },
    { title: "CRN", cell: ({ crn }) => crn },
    { title: "RESOURCE GROUP", cell: ({ resourceGroup }) => nameOf(resourceGroup) },
    { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt) },
    { title: "ETAG", cell: ({ etag }) => etag },
  ],
  json: ClusterNetwork.toJSON,
};

/** Adds the noun. */
export function addNetwork(program: Command, run: Run): void {
  const noun = program.command("network").description("cluster networks");
  creating(noun.command("create").description("create a cluster network"))
    .requiredOption("--profile <name>", "cluster network profile")
    .requiredOption("--vpc <id>", "VPC it belongs to")
    .requiredOption("--zone <zone>", "one of the profile's zones")
    .option("--name <name>", "its name (four random words when absent)")
    .option("--prefix <cidr>", "address space of its subnets (10.0.0.0/9 when absent)")
    .option("--resource-group <id>", "its resource group")
    .action(run(create));
  noun
    .command("list")
    .description("list cluster networks")
    .option("--vpc <id>", "only those of this VPC")
    .option("--resource-group <id>", "only those of this resource group")
    .option(...ORDER_BY)
    .option(...WATCH)
    .action(run(list));
  noun
    .command("get <network>")
    .description("show a cluster network")
    .option(...WATCH)
    .action(run(get));
  changing(noun.command("update <network>").description("rename a cluster network"))
    .option("--name <name>", "its new name")
    .action(run(update));
  changing(noun.command("delete <network>").description("delete a cluster network"))
    .option("--cascade", "with its subnets, interfaces, reserved IPs and holds")
    .option("--wait", "wait until it is gone")
    .action(run(remove));
}

interface Create extends CreateFlags {
  readonly profile: string;
  readonly vpc: string;
  readonly zone: string;
  readonly name?: string;
  readonly prefix?: string;
  readonly resourceGroup?: string;
}

async function create(session: Session, flags: Create): Promise<void> {
  const allocationPolicy = AllocationPolicy.ALLOCATION_POLICY_UNSPECIFIED;
  const answer = await session.tenant.call(service.createClusterNetwork, {
    profile: flags.profile,
    vpcId: flags.vpc,
    zone: flags.zone,
    name: flags.name ?? "",
    subnetPrefixes: flags.prefix ? [{ cidr: flags.prefix, allocationPolicy }] : [],
    resourceGroupId: flags.resourceGroup ?? "",
    ...creation(session, flags),
  });
  session.output.one(VIEW, present(answer.clusterNetwork));
}

interface List extends OrderFlags {
  readonly vpc?: string;
  readonly resourceGroup?: string;
}

async function list(session: Session, flags: List & WatchFlags): Promise<void> {
  const now = () => networks(session, flags);
  if (!flags.watch) return session.output.many(VIEW, await now());
  const { vpc, resourceGroup: group } = flags;
  const matches = (it: ClusterNetwork) =>
    (vpc === undefined || it.vpc?.id === vpc) &&
    (group === undefined || it.resourceGroup?.id === group);
  await printChanges(session, { kind: "clusterNetwork", view: VIEW, now, matches });
}

function networks(session: Session, flags: List & { readonly name?: string }) {
  return listAll(session.tenant, {
    method: service.listClusterNetworks,
    filters: {
      orderBy: flags.orderBy ?? "",
      name: flags.name ?? "",
      resourceGroupId: flags.resourceGroup ?? "",
      vpcId: flags.vpc ?? "",
    },
    items: ({ clusterNetworks }) => clusterNetworks,
  });
}

function read(session: Session, id: string) {
  return session.tenant.call(service.getClusterNetwork, { id });
}

/** The id of the cluster network with this name or id; throws `notFound`. */
export function networkId(session: Session, text: string): Promise<string> {
  const lookup: Lookup = {
    kind: KIND,
    named: async (name) => (await networks(session, { name })).map(({ id }) => id),
    exists: (id) => whetherFound(read(session, id)),
  };
  return resolveId(lookup, text);
}

async function get(session: Session, flags: WatchFlags, [text = ""]: readonly string[]) {
  const id = await networkId(session, text);
  const now = async () => present((await read(session, id)).clusterNetwork);
  if (!flags.watch) return session.output.one(VIEW, await now());
  const one = { kind: "clusterNetwork", view: VIEW, id, now } as const;
  await printChangesOf(session, one);
}

async function update(
  session: Session,
  flags: ChangeFlags & { readonly name?: string },
  [text = ""]: readonly string[],
): Promise<void> {
  const { values, updateMask } = updates<Pick<ClusterNetwork, "name">>({ name: flags.name });
  const answer = await session.tenant.call(service.updateClusterNetwork, {
    id: await networkId(session, text),
    clusterNetwork: ClusterNetwork.fromPartial(values),
    updateMask,
    ...change(session, flags),
  });
  session.output.one(VIEW, present(answer.clusterNetwork));
}

interface Remove extends ChangeFlags {
  readonly cascade?: boolean;
  readonly wait?: boolean;
}

async function remove(session: Session, flags: Remove, [text = ""]: readonly string[]) {
  const id = await networkId(session, text);
  const { cascade = false } = flags;
  await deleteObject(session, flags, {
    view: VIEW,
    what: `${KIND} ${text}`,
    about: { kind: "clusterNetwork", id },
    remove: async (repeat) => {
      const request = { id, cascade, ...change(session, flags) };
      const answer = await session.tenant.call(service.deleteClusterNetwork, request, repeat);
      return answer.clusterNetwork;
    },
    read: async () => (await read(session, id)).clusterNetwork,
  });
}
