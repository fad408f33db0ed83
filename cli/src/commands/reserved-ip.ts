// railctl reserved-ip: single addresses of a subnet.
import {
  ClusterNetworkSubnetReservedIp,
  ReservedIpOwner,
  ClusterNetworkSubnetReservedIpServiceService as service,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
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
  trueOrFalse,
  updates,
} from "../flags.js";
import type { View } from "../output.js";
import { listAll, ORDER_BY, type OrderFlags } from "../pages.js";
import type { Run } from "../program.js";
import { type Lookup, resolveId, whetherFound } from "../resolve.js";
import type { Session } from "../session.js";
import { printChanges, printChangesOf, WATCH, type WatchFlags } from "../watch.js";
import { nameOf, timeOf, wordOf, yesNo } from "../words.js";
import { networkId } from "./network.js";
import { subnetId } from "./subnet.js";

const KIND = "reserved IP";

const VIEW: View<ClusterNetworkSubnetReservedIp> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "ADDRESS", cell: ({ address }) => address },
    { title: "OWNER", cell: ({ owner }) => wordOf(ReservedIpOwner, owner) },
    { title: "TARGET", cell: ({ target }) => nameOf(target) },
    { title: "AUTO-DELETE", cell: ({ autoDelete }) => yesNo(autoDelete) },
    { title: "STATE", cell: (it) => wordOf(LifecycleState, it.lifecycleState), state: true },
  ],
  details: [
    { title: "SUBNET", cell: (it) => it.subnetId },
    { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt) },
    { title: "ETAG", cell: ({ etag }) => etag },
  ],
  json: ClusterNetworkSubnetReservedIp.toJSON,
};

interface InSubnet {
  readonly network: string;
  readonly subnet: string;
}

function inSubnet(command: Command): Command {
  return command
    .requiredOption("--network <network>", "the cluster network, by name or id")
    .requiredOption("--subnet <subnet>", "the subnet, by name or id");
}

/** Adds the noun. */
export function addReservedIp(program: Command, run: Run): void {
  const noun = program.command("reserved-ip").description("single addresses of a subnet");
  creating(inSubnet(noun.command("create").description("reserve an address")))
    .option("--address <address>", "this address (any free one when absent)")
    .option("--name <name>", "its name (four random words when absent)")
    .action(run(create));
  inSubnet(noun.command("list").description("list the reserved IPs of a subnet"))
    .option("--address <address>", "only the one with this address")
    .option(...ORDER_BY)
    .option(...WATCH)
    .action(run(list));
  inSubnet(noun.command("get <reserved-ip>").description("show a reserved IP"))
    .option(...WATCH)
    .action(run(get));
  changing(inSubnet(noun.command("update <reserved-ip>").description("change a reserved IP")))
    .option("--name <name>", "its new name")
    .option("--auto-delete <true|false>", "delete it together with its interface")
    .action(run(update));
  changing(inSubnet(noun.command("delete <reserved-ip>").description("give an address back")))
    .option("--wait", "wait until it is gone")
    .action(run(remove));
}

async function subnetOf(session: Session, flags: InSubnet) {
  const clusterNetworkId = await networkId(session, flags.network);
  const subnet = await subnetId(session, clusterNetworkId, flags.subnet);
  return { clusterNetworkId, subnetId: subnet };
}

type Subnet = Awaited<ReturnType<typeof subnetOf>>;

async function create(
  session: Session,
  flags: CreateFlags & InSubnet & { readonly address?: string; readonly name?: string },
): Promise<void> {
  const answer = await session.tenant.call(service.createClusterNetworkSubnetReservedIp, {
    ...(await subnetOf(session, flags)),
    address: flags.address ?? "",
    name: flags.name ?? "",
    ...creation(session, flags),
  });
  session.output.one(VIEW, present(answer.clusterNetworkSubnetReservedIp));
}

async function list(
  session: Session,
  flags: InSubnet & WatchFlags & OrderFlags & { readonly address?: string },
) {
  const { address = "", orderBy = "" } = flags;
  const subnet = await subnetOf(session, flags);
  const now = () => reservedIps(session, subnet, { address, orderBy });
  if (!flags.watch) return session.output.many(VIEW, await now());
  const matches = (it: ClusterNetworkSubnetReservedIp) =>
    it.subnetId === subnet.subnetId && (address === "" || it.address === address);
  const kind = "clusterNetworkSubnetReservedIp";
  await printChanges(session, { kind, view: VIEW, now, matches });
}

function reservedIps(
  session: Session,
  subnet: Subnet,
  only: OrderFlags & { readonly name?: string; readonly address?: string },
) {
  return listAll(session.tenant, {
    method: service.listClusterNetworkSubnetReservedIps,
    filters: { ...subnet, name: "", address: "", orderBy: "", ...only },
    items: ({ clusterNetworkSubnetReservedIps }) => clusterNetworkSubnetReservedIps,
  });
}

function read(session: Session, subnet: Subnet, id: string) {
  return session.tenant.call(service.getClusterNetworkSubnetReservedIp, { ...subnet, id });
}

async function placeOf(session: Session, flags: InSubnet, text: string) {
  const subnet = await subnetOf(session, flags);
  const lookup: Lookup = {
    kind: KIND,
    named: async (name) => (await reservedIps(session, subnet, { name })).map(({ id }) => id),
    exists: (id) => whetherFound(read(session, subnet, id)),
  };
  return { ...subnet, id: await resolveId(lookup, text) };
}

async function get(
  session: Session,
  flags: InSubnet & WatchFlags,
  [text = ""]: readonly string[],
): Promise<void> {
  const place = await placeOf(session, flags, text);
  const { id } = place;
  const now = async () => present((await read(session, place, id)).clusterNetworkSubnetReservedIp);
  if (!flags.watch) return session.output.one(VIEW, await now());
  await printChangesOf(session, { kind: "clusterNetworkSubnetReservedIp", view: VIEW, id, now });
}

interface Update extends ChangeFlags, InSubnet {
  readonly name?: string;
  readonly autoDelete?: string;
}

async function update(session: Session, flags: Update, [text = ""]: readonly string[]) {
  const { name, autoDelete: word } = flags;
  const autoDelete = word === undefined ? undefined : trueOrFalse(word, "--auto-delete");
  const { values, updateMask } = updates<
    Pick<ClusterNetworkSubnetReservedIp, "name" | "autoDelete">
  >({ name, autoDelete });
  const answer = await session.tenant.call(service.updateClusterNetworkSubnetReservedIp, {
    ...(await placeOf(session, flags, text)),
    clusterNetworkSubnetReservedIp: ClusterNetworkSubnetReservedIp.fromPartial(values),
    updateMask,
    ...change(session, flags),
  });
  session.output.one(VIEW, present(answer.clusterNetworkSubnetReservedIp));
}

async function remove(
  session: Session,
  flags: ChangeFlags & InSubnet & { readonly wait?: boolean },
  [text = ""]: readonly string[],
): Promise<void> {
  const place = await placeOf(session, flags, text);
  const request = { ...place, ...change(session, flags) };
  await deleteObject(session, flags, {
    view: VIEW,
    what: `${KIND} ${text}`,
    about: { kind: "clusterNetworkSubnetReservedIp", id: place.id },
    remove: async (repeat) =>
      (await session.tenant.call(service.deleteClusterNetworkSubnetReservedIp, request, repeat))
        .clusterNetworkSubnetReservedIp,
    read: async () => (await read(session, place, place.id)).clusterNetworkSubnetReservedIp,
  });
}
