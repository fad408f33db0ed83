// railctl subnet: subnets of a cluster network.
import { invalidField } from "@railyard/lib/errors";
import {
  ClusterNetworkSubnet,
  type CreateClusterNetworkSubnetRequest,
  ClusterNetworkSubnetServiceService as service,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
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
  wholeNumber,
} from "../flags.js";
import type { View } from "../output.js";
import { listAll, ORDER_BY, type OrderFlags } from "../pages.js";
import type { Run } from "../program.js";
import { type Lookup, resolveId, whetherFound } from "../resolve.js";
import type { Session } from "../session.js";
import { printChanges, printChangesOf, WATCH, type WatchFlags } from "../watch.js";
import { countOf, reasonsOf, timeOf, wordOf } from "../words.js";
import { networkId } from "./network.js";

const KIND = "subnet";

const VIEW: View<ClusterNetworkSubnet> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "CIDR", cell: ({ ipv4CidrBlock }) => ipv4CidrBlock },
    { title: "TOTAL", cell: (it) => countOf(it.totalIpv4AddressCount) },
    { title: "AVAILABLE", cell: (it) => countOf(it.availableIpv4AddressCount) },
    { title: "RAIL", cell: ({ rail }) => countOf(rail) },
    { title: "STATE", cell: (it) => wordOf(LifecycleState, it.lifecycleState), state: true },
  ],
  details: [
    { title: "REASONS", cell: (it) => reasonsOf(LifecycleReasonCode, it.lifecycleReasons) },
    { title: "NETWORK", cell: ({ clusterNetworkId }) => clusterNetworkId },
    { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt) },
    { title: "ETAG", cell: ({ etag }) => etag },
  ],
  json: ClusterNetworkSubnet.toJSON,
};

const NETWORK = ["--network <network>", "the cluster network, by name or id"] as const;

interface InNetwork {
  readonly network: string;
}

/** Adds the noun. */
export function addSubnet(program: Command, run: Run): void {
  const noun = program.command("subnet").description("subnets of a cluster network");
  creating(noun.command("create").description("create a subnet by block or by count"))
    .requiredOption(...NETWORK)
    .option("--cidr <cidr>", "this block, inside the network's prefix")
    .option("--count <addresses>", "the first free block of so many addresses, a power of two")
    .option("--name <name>", "its name (four random words when absent)")
    .option("--rail <index>", "the rail its attachments should be on, from 0")
    .action(run(create));
  noun
    .command("list")
    .description("list the subnets of a cluster network")
    .requiredOption(...NETWORK)
    .option(...ORDER_BY)
    .option(...WATCH)
    .action(run(list));
  noun
    .command("get <subnet>")
    .description("show a subnet")
    .requiredOption(...NETWORK)
    .option(...WATCH)
    .action(run(get));
  changing(noun.command("update <subnet>").description("rename a subnet"))
    .requiredOption(...NETWORK)
    .option("--name <name>", "its new name")
    .action(run(update));
  changing(noun.command("delete <subnet>").description("delete a subnet"))
    .requiredOption(...NETWORK)
    .option("--wait", "wait until it is gone")
    .action(run(remove));
}

interface Create extends CreateFlags, InNetwork {
  readonly cidr?: string;
  readonly count?: string;
  readonly name?: string;
  readonly rail?: string;
}

/** What a subnet's flags say about its addresses; throws `invalid` unless exactly one is given. */
export function rangeOf(flags: {
  readonly cidr?: string;
  readonly count?: string;
}): NonNullable<CreateClusterNetworkSubnetRequest["range"]> {
  const { cidr, count } = flags;
  if ((cidr === undefined) === (count === undefined)) {
    throw invalidField("--cidr, --count", "give exactly one of them");
  }
  if (cidr !== undefined) return { $case: "ipv4CidrBlock", value: cidr };
  const value = BigInt(wholeNumber(count ?? "", "--count"));
  return { $case: "totalIpv4AddressCount", value };
}

async function create(session: Session, flags: Create): Promise<void> {
  const range = rangeOf(flags);
  const rail = flags.rail === undefined ? undefined : wholeNumber(flags.rail, "--rail");
  const answer = await session.tenant.call(service.createClusterNetworkSubnet, {
    clusterNetworkId: await networkId(session, flags.network),
    name: flags.name ?? "",
    range,
    rail,
    ...creation(session, flags),
  });
  session.output.one(VIEW, present(answer.clusterNetworkSubnet));
}

async function list(session: Session, flags: InNetwork & WatchFlags & OrderFlags): Promise<void> {
  const network = await networkId(session, flags.network);
  const now = () => subnets(session, network, flags);
  if (!flags.watch) return session.output.many(VIEW, await now());
  const matches = (it: ClusterNetworkSubnet) => it.clusterNetworkId === network;
  await printChanges(session, { kind: "clusterNetworkSubnet", view: VIEW, now, matches });
}

function subnets(session: Session, clusterNetworkId: string, { orderBy = "" }: OrderFlags = {}) {
  return listAll(session.tenant, {
    method: service.listClusterNetworkSubnets,
    filters: { clusterNetworkId, orderBy },
    items: ({ clusterNetworkSubnets }) => clusterNetworkSubnets,
  });
}

function read(session: Session, clusterNetworkId: string, id: string) {
  return session.tenant.call(service.getClusterNetworkSubnet, { clusterNetworkId, id });
}

/** The id of the subnet with this name or id in a cluster network; throws `notFound`. */
export function subnetId(session: Session, network: string, text: string): Promise<string> {
  const lookup: Lookup = {
    kind: KIND,
    named: async (wanted) =>
      (await subnets(session, network)).flatMap(({ id, name }) => (name === wanted ? [id] : [])),
    exists: (id) => whetherFound(read(session, network, id)),
  };
  return resolveId(lookup, text);
}

async function placeOf(session: Session, flags: InNetwork, text: string) {
  const clusterNetworkId = await networkId(session, flags.network);
  return { clusterNetworkId, id: await subnetId(session, clusterNetworkId, text) };
}

async function get(
  session: Session,
  flags: InNetwork & WatchFlags,
  [text = ""]: readonly string[],
): Promise<void> {
  const { clusterNetworkId, id } = await placeOf(session, flags, text);
  const now = async () => present((await read(session, clusterNetworkId, id)).clusterNetworkSubnet);
  if (!flags.watch) return session.output.one(VIEW, await now());
  await printChangesOf(session, { kind: "clusterNetworkSubnet", view: VIEW, id, now });
}

async function update(
  session: Session,
  flags: ChangeFlags & InNetwork & { readonly name?: string },
  [text = ""]: readonly string[],
): Promise<void> {
  const { values, updateMask } = updates<Pick<ClusterNetworkSubnet, "name">>({ name: flags.name });
  const answer = await session.tenant.call(service.updateClusterNetworkSubnet, {
    ...(await placeOf(session, flags, text)),
    clusterNetworkSubnet: ClusterNetworkSubnet.fromPartial(values),
    updateMask,
    ...change(session, flags),
  });
  session.output.one(VIEW, present(answer.clusterNetworkSubnet));
}

async function remove(
  session: Session,
  flags: ChangeFlags & InNetwork & { readonly wait?: boolean },
  [text = ""]: readonly string[],
): Promise<void> {
  const place = await placeOf(session, flags, text);
  const request = { ...place, ...change(session, flags) };
  await deleteObject(session, flags, {
    view: VIEW,
    what: `${KIND} ${text}`,
    about: { kind: "clusterNetworkSubnet", id: place.id },
    remove: async (repeat) =>
      (await session.tenant.call(service.deleteClusterNetworkSubnet, request, repeat))
        .clusterNetworkSubnet,
    read: async () => (await read(session, place.clusterNetworkId, place.id)).clusterNetworkSubnet,
  });
}
