// Use cases of cluster networks: create, read, rename, delete. The mapping to physical clusters is
// in mapping.ts and is never shown.
import { parseCidr } from "@railyard/lib/address";
import { bug, refuse } from "@railyard/lib/errors";
import { type ClusterNetworkId, newId } from "@railyard/lib/ids";
import {
  type ClusterNetwork,
  DEFAULT_PREFIX,
  PREFIX_LENGTH_MAX,
} from "../domain/cluster-network.js";
import { Faults } from "../domain/faults.js";
import type { Hold } from "../domain/hold.js";
import { type ClusterNetworkProfile, zonesOf } from "../domain/profile.js";
import { RESOURCE_TYPE, type ResourceType } from "../domain/resource-type.js";
import { checkBlock, type Subnet } from "../domain/subnet.js";
import type {
  AccountReads,
  AccountRows,
  ListQuery,
  NetworkFilter,
  Page,
} from "../store/contract.js";
import { checkEtag, checkMask, lastState, newborn, touched } from "./change.js";
import type { Mutation, ServiceContext, TenantCall } from "./context.js";
import { accountOf, findNetwork, HOLDERS_MAX } from "./find.js";
import { dropHold, endAllOver } from "./hold-rooms.js";
import { dropInterface } from "./interface-life.js";
import { mapNetwork } from "./mapping.js";
import type { Given } from "./mutate.js";
import { checkNewName, chooseName, hasAny } from "./naming.js";
import { type NamedRef, References } from "./references.js";
import { dropSubnet } from "./subnet.js";
import { mutateMine, readMine, type TenantReads, type TenantTx } from "./tenant.js";

const TYPE = RESOURCE_TYPE.clusterNetwork;

export interface NetworkView {
  readonly network: ClusterNetwork;
  readonly vpc: NamedRef;
}

export interface CreateNetwork {
  readonly profile: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly name: string;
  /** Undefined: DEFAULT_PREFIX. */
  readonly prefix: string | undefined;
  readonly resourceGroupId: string;
}

/**
 * Creates a network and maps it. Errors: every bad field at once; quota; no place for the profile.
 */
export function createNetwork<A>(
  ctx: ServiceContext,
  call: Mutation<NetworkView, A>,
  input: CreateNetwork,
): Promise<A> {
  const account = accountOf(call.principal);
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const faults = new Faults();
    const profile = await checkProfile(tx, faults, input);
    const vpc = await ctx.catalog.get(tx, account, { kind: "vpc", id: input.vpcId });
    if (!vpc) faults.missing("vpc_id", RESOURCE_TYPE.vpc, input.vpcId);
    const prefix = checkPrefix(faults, input.prefix);
    const taken = nameTaken(mine);
    const name = await chooseName(faults, {
      field: "name",
      name: input.name,
      rng: given.rng,
      taken,
    });
    faults.throwIfAny();
    if (!profile || !prefix || !vpc) throw bug("a fault was not recorded");
    await mine.quotas.take("cluster-networks", 1);
    const id = newId("clusterNetwork", given);
    const { zone, vpcId, resourceGroupId } = input;
    const mapping = await mapNetwork(tx, ctx, { network: id, profile, zone });
    const about = { id, name, profile: profile.name, zone, vpcId, resourceGroupId, prefix };
    const network: ClusterNetwork = { ...newborn(given, account), ...about, ...mapping };
    await mine.clusterNetworks.insert(network);
    return networkView(ctx, tx, network);
  });
}

export function getNetwork(
  ctx: ServiceContext,
  call: TenantCall,
  id: ClusterNetworkId,
): Promise<NetworkView> {
  return readMine(ctx, call, async (tx) => networkView(ctx, tx, await findNetwork(tx.mine, id)));
}

export function listNetworks(
  ctx: ServiceContext,
  call: TenantCall,
  query: ListQuery<NetworkFilter>,
): Promise<Page<NetworkView>> {
  return readMine(ctx, call, async (tx) => {
    const page = await tx.mine.clusterNetworks.list(query);
    const rows: NetworkView[] = [];
    for (const row of page.rows) rows.push(await networkView(ctx, tx, row));
    return { ...page, rows };
  });
}

export interface UpdateNetwork {
  readonly id: ClusterNetworkId;
  readonly etag: string;
  readonly mask: readonly string[];
  readonly name: string;
}

/** Renames a network. */
export function updateNetwork<A>(
  ctx: ServiceContext,
  call: Mutation<NetworkView, A>,
  input: UpdateNetwork,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const before = await findNetwork(mine, input.id);
    const faults = new Faults();
    checkMask(faults, input.mask, ["name"]);
    const renamed = input.mask.includes("name") && input.name !== before.name;
    const wish = { field: "cluster_network.name", name: input.name, taken: nameTaken(mine) };
    if (renamed) await checkNewName(faults, wish);
    faults.throwIfAny();
    checkEtag(before, input.etag, TYPE);
    if (!renamed) return networkView(ctx, tx, before);
    const after = touched({ ...before, name: input.name }, given.rng);
    await mine.clusterNetworks.update(after);
    return networkView(ctx, tx, after);
  });
}

export interface DeleteNetwork {
  readonly id: ClusterNetworkId;
  readonly etag: string;
  /** Also deletes subnets, interfaces and reserved IPs; never instances. */
  readonly cascade: boolean;
}

/** Deletes a network; its isolation id rests before it is used again. */
export function deleteNetwork<A>(
  ctx: ServiceContext,
  call: Mutation<NetworkView, A>,
  input: DeleteNetwork,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const network = await findNetwork(mine, input.id);
    checkEtag(network, input.etag, TYPE);
    await refuseResidents(mine, network);
    await endAllOver(tx, given.at);
    const subnets = await mine.subnets.ofNetwork(network.id);
    const holds = await mine.holds.inNetwork(network.id, given.at);
    if (!input.cascade) refuseContents(network, { subnets, holds });
    for (const hold of holds) {
      await dropHold(tx, hold);
      given.tell({ holdId: hold.id, networkId: network.id }, "hold given back");
    }
    const until = given.at + ctx.settings.quarantineMs;
    await dropInterfaces(mine, network, { given, until });
    for (const subnet of subnets) await dropSubnet(mine, subnet);
    const view = await networkView(ctx, tx, network);
    await mine.clusterNetworks.delete(network.id);
    await mine.quotas.giveBack("cluster-networks", 1);
    await tx.isolation.rest(network.physicalClusterId, network.isolation.id, until);
    return { ...view, network: lastState(network) };
  });
}

async function checkProfile(
  tx: TenantTx,
  faults: Faults,
  { profile: name, zone }: CreateNetwork,
): Promise<ClusterNetworkProfile | undefined> {
  const profile = await tx.profiles.clusterNetwork(name);
  if (!profile) faults.missing("profile", RESOURCE_TYPE.clusterNetworkProfile, name);
  if (!(await tx.zones.all()).some((z) => z.name === zone)) {
    faults.missing("zone", RESOURCE_TYPE.zone, zone);
    return undefined;
  }
  const zones = profile && zonesOf(profile, await tx.physicalClusters.all());
  if (zones && !zones.includes(zone)) {
    const description = `${name} is not offered in ${zone}, but in: ${zones.join(", ") || "none"}`;
    faults.invalid("zone", description, "CLUSTER_NETWORK_PROFILE_ZONE_UNSUPPORTED");
  }
  return profile;
}

function checkPrefix(faults: Faults, text: string | undefined) {
  if (text === undefined) return parseCidr(DEFAULT_PREFIX);
  const prefix = checkBlock(faults, "subnet_prefixes[0].cidr", text);
  if (prefix && prefix.prefix > PREFIX_LENGTH_MAX) {
    const description = `must be /${PREFIX_LENGTH_MAX} or larger`;
    faults.invalid("subnet_prefixes[0].cidr", description, "SUBNET_PREFIX_INVALID");
  }
  return prefix;
}

function nameTaken(mine: AccountReads) {
  return (name: string) => hasAny(mine.clusterNetworks, { name });
}

/** The network with what its references show. */
export async function networkView(
  ctx: Pick<ServiceContext, "catalog">,
  tx: TenantReads,
  network: ClusterNetwork,
): Promise<NetworkView> {
  const vpc = await new References(ctx, tx, network.account).get("vpc", network.vpcId);
  return { network, vpc };
}

async function refuseResidents(mine: AccountReads, { id }: ClusterNetwork): Promise<void> {
  const residents = await mine.instances.list({
    filter: { clusterNetworkId: id },
    limit: HOLDERS_MAX,
  });
  if (residents.total === 0) return;
  throw refuse("precondition", `an instance resides in ${TYPE} ${id}`, {
    reason: "CLUSTER_NETWORK_IN_USE_INSTANCE_EXISTS",
    resource: { type: TYPE, id },
    holders: holdersOf(RESOURCE_TYPE.instance, residents.rows),
  });
}

/** Subnets and holds go with their network only where that was asked for. */
function refuseContents(
  { id }: ClusterNetwork,
  { subnets, holds }: { readonly subnets: readonly Subnet[]; readonly holds: readonly Hold[] },
): void {
  const resource = { type: TYPE, id };
  if (subnets.length > 0) {
    throw refuse("precondition", `${TYPE} ${id} still has subnets`, {
      reason: "CLUSTER_NETWORK_IN_USE_SUBNET_EXISTS",
      ...{ resource, holders: holdersOf(RESOURCE_TYPE.subnet, subnets) },
    });
  }
  if (holds.length > 0) {
    throw refuse("precondition", `a hold has room in ${TYPE} ${id}`, {
      reason: "CLUSTER_NETWORK_IN_USE_HOLD_EXISTS",
      ...{ resource, holders: holdersOf(RESOURCE_TYPE.hold, holds) },
    });
  }
}

function holdersOf(type: ResourceType, rows: readonly { readonly id: string }[]) {
  return rows.slice(0, HOLDERS_MAX).map(({ id }) => ({ type, id }));
}

async function dropInterfaces(
  mine: AccountRows,
  network: ClusterNetwork,
  rest: { readonly given: Given; readonly until: number },
): Promise<void> {
  for (;;) {
    const filter = { clusterNetworkId: network.id };
    const page = await mine.interfaces.list({ filter, limit: HOLDERS_MAX });
    for (const row of page.rows) await dropInterface(mine, row, rest);
    if (!page.more) return;
  }
}
