// railctl interface: interfaces of a cluster network.
import { invalidField } from "@railyard/lib/errors";
import {
  ClusterNetworkInterface,
  type CreateClusterNetworkInterfaceRequest,
  ClusterNetworkInterfaceServiceService as service,
} from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
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

const KIND = "interface";

const VIEW: View<ClusterNetworkInterface> = {
  columns: [
    { title: "NAME", cell: ({ name }) => name },
    { title: "ID", cell: ({ id }) => id },
    { title: "SUBNET", cell: ({ subnet }) => nameOf(subnet) },
    { title: "ADDRESS", cell: ({ primaryIp }) => primaryIp?.address ?? "" },
    { title: "MAC", cell: ({ macAddress }) => macAddress },
    { title: "TARGET", cell: ({ target }) => nameOf(target) },
    { title: "STATE", cell: (it) => wordOf(LifecycleState, it.lifecycleState), state: true },
  ],
  details: [
    { title: "AUTO-DELETE", cell: ({ autoDelete }) => yesNo(autoDelete) },
    { title: "IP SPOOFING", cell: ({ allowIpSpoofing }) => yesNo(allowIpSpoofing) },
    { title: "VPC", cell: ({ vpc }) => nameOf(vpc) },
    { title: "ZONE", cell: ({ zone }) => zone },
    { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt) },
    { title: "ETAG", cell: ({ etag }) => etag },
  ],
  json: ClusterNetworkInterface.toJSON,
};

const NETWORK = ["--network <network>", "the cluster network, by name or id"] as const;

interface InNetwork {
  readonly network: string;
}

/** Adds the noun. */
export function addInterface(program: Command, run: Run): void {
  const noun = program.command("interface").description("interfaces of a cluster network");
  creating(noun.command("create").description("create an interface"))
    .requiredOption(...NETWORK)
    .option("--subnet <subnet>", "in this subnet, by name or id")
    .option("--address <address>", "with this address of the subnet (any free one when absent)")
    .option("--reserved-ip <id>", "with this existing reserved IP")
    .option("--name <name>", "its name (four random words when absent)")
    .option("--allow-ip-spoofing", "let it send from addresses that are not its own")
    .action(run(create));
  noun
    .command("list")
    .description("list the interfaces of a cluster network")
    .requiredOption(...NETWORK)
    .option("--subnet <subnet>", "only those in this subnet, by name or id")
    .option(...ORDER_BY)
    .option(...WATCH)
    .action(run(list));
  noun
    .command("get <interface>")
    .description("show an interface")
    .requiredOption(...NETWORK)
    .option(...WATCH)
    .action(run(get));
  changing(noun.command("update <interface>").description("change an interface"))
    .requiredOption(...NETWORK)
    .option("--name <name>", "its new name")
    .option("--auto-delete <true|false>", "delete it together with its attachment")
    .option("--allow-ip-spoofing <true|false>", "let it send from addresses not its own")
    .action(run(update));
  changing(noun.command("delete <interface>").description("delete an interface"))
    .requiredOption(...NETWORK)
    .option("--wait", "wait until it is gone")
    .action(run(remove));
}

interface Create extends CreateFlags, InNetwork {
  readonly subnet?: string;
  readonly address?: string;
  readonly reservedIp?: string;
  readonly name?: string;
  readonly allowIpSpoofing?: boolean;
}

type PrimaryIp = CreateClusterNetworkInterfaceRequest["primaryIp"];

/** What an interface's flags say about its address; throws `invalid` where they contradict. */
export function primaryIpOf({ subnet, address, reservedIp }: Omit<Create, "network">): PrimaryIp {
  if (reservedIp !== undefined) {
    if (address !== undefined) {
      throw invalidField("--address", "has no place beside --reserved-ip");
    }
    return { source: { $case: "reservedIpId", value: reservedIp } };
  }
  if (subnet === undefined) throw invalidField("--subnet", "give it, or --reserved-ip");
  if (address === undefined) return undefined;
  return { source: { $case: "reservedIp", value: { address, name: "" } } };
}

async function create(session: Session, flags: Create): Promise<void> {
  const primaryIp = primaryIpOf(flags);
  const clusterNetworkId = await networkId(session, flags.network);
  const subnet = flags.subnet && (await subnetId(session, clusterNetworkId, flags.subnet));
  const answer = await session.tenant.call(service.createClusterNetworkInterface, {
    clusterNetworkId,
    name: flags.name ?? "",
    subnetId: subnet ?? "",
    primaryIp,
    allowIpSpoofing: flags.allowIpSpoofing ?? false,
    ...creation(session, flags),
  });
  session.output.one(VIEW, present(answer.clusterNetworkInterface));
}

async function list(
  session: Session,
  flags: InNetwork & WatchFlags & OrderFlags & { readonly subnet?: string },
) {
  const network = await networkId(session, flags.network);
  const subnet = flags.subnet && (await subnetId(session, network, flags.subnet));
  const { orderBy = "" } = flags;
  const now = () => interfaces(session, network, { subnetId: subnet ?? "", orderBy });
  if (!flags.watch) return session.output.many(VIEW, await now());
  const matches = (it: ClusterNetworkInterface) =>
    it.clusterNetworkId === network && (!subnet || it.subnet?.id === subnet);
  await printChanges(session, { kind: "clusterNetworkInterface", view: VIEW, now, matches });
}

function interfaces(
  session: Session,
  clusterNetworkId: string,
  only: OrderFlags & { readonly name?: string; readonly subnetId?: string },
) {
  return listAll(session.tenant, {
    method: service.listClusterNetworkInterfaces,
    filters: { clusterNetworkId, name: "", subnetId: "", targetId: "", orderBy: "", ...only },
    items: ({ clusterNetworkInterfaces }) => clusterNetworkInterfaces,
  });
}

function read(session: Session, clusterNetworkId: string, id: string) {
  return session.tenant.call(service.getClusterNetworkInterface, { clusterNetworkId, id });
}

/** The id of the interface with this name or id in a cluster network; throws `notFound`. */
export function interfaceId(session: Session, network: string, text: string): Promise<string> {
  const lookup: Lookup = {
    kind: KIND,
    named: async (name) => (await interfaces(session, network, { name })).map(({ id }) => id),
    exists: (id) => whetherFound(read(session, network, id)),
  };
  return resolveId(lookup, text);
}

async function placeOf(session: Session, flags: InNetwork, text: string) {
  const clusterNetworkId = await networkId(session, flags.network);
  return { clusterNetworkId, id: await interfaceId(session, clusterNetworkId, text) };
}

async function get(
  session: Session,
  flags: InNetwork & WatchFlags,
  [text = ""]: readonly string[],
): Promise<void> {
  const { clusterNetworkId: network, id } = await placeOf(session, flags, text);
  const now = async () => present((await read(session, network, id)).clusterNetworkInterface);
  if (!flags.watch) return session.output.one(VIEW, await now());
  await printChangesOf(session, { kind: "clusterNetworkInterface", view: VIEW, id, now });
}

interface Update extends ChangeFlags, InNetwork {
  readonly name?: string;
  readonly autoDelete?: string;
  readonly allowIpSpoofing?: string;
}

async function update(session: Session, flags: Update, [text = ""]: readonly string[]) {
  const given = (word: string | undefined, flag: string) =>
    word === undefined ? undefined : trueOrFalse(word, flag);
  const { values, updateMask } = updates<
    Pick<ClusterNetworkInterface, "name" | "autoDelete" | "allowIpSpoofing">
  >({
    name: flags.name,
    autoDelete: given(flags.autoDelete, "--auto-delete"),
    allowIpSpoofing: given(flags.allowIpSpoofing, "--allow-ip-spoofing"),
  });
  const answer = await session.tenant.call(service.updateClusterNetworkInterface, {
    ...(await placeOf(session, flags, text)),
    clusterNetworkInterface: ClusterNetworkInterface.fromPartial(values),
    updateMask,
    ...change(session, flags),
  });
  session.output.one(VIEW, present(answer.clusterNetworkInterface));
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
    about: { kind: "clusterNetworkInterface", id: place.id },
    remove: async (repeat) =>
      (await session.tenant.call(service.deleteClusterNetworkInterface, request, repeat))
        .clusterNetworkInterface,
    read: async () =>
      (await read(session, place.clusterNetworkId, place.id)).clusterNetworkInterface,
  });
}
