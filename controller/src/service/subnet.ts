// Use cases of subnets: create by block or by count, read, rename, delete. Which block a subnet
// gets is the domain's decision; free addresses are the store's.
import { type Cidr, cidrSize, cidrsOverlap } from "@railyard/lib/address";
import { bug, refuse } from "@railyard/lib/errors";
import { type ClusterNetworkId, newId } from "@railyard/lib/ids";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import { Faults } from "../domain/faults.js";
import { PROVIDER_IPS } from "../domain/reserved-ip.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import {
  addOverlap,
  carve,
  checkSubnetBlock,
  isSubnetCount,
  type Subnet,
} from "../domain/subnet.js";
import type {
  AccountReads,
  AccountRows,
  ListQuery,
  Page,
  SubnetFilter,
} from "../store/contract.js";
import { checkEtag, checkMask, lastState, newborn, touched } from "./change.js";
import type { Mutation, ServiceContext, TenantCall } from "./context.js";
import { accountOf, findNetwork, findSubnet, HOLDERS_MAX, type SubnetPath } from "./find.js";
import { checkNewName, chooseName, hasAny } from "./naming.js";
import { mutateMine, readMine, type TenantTx } from "./tenant.js";

const TYPE = RESOURCE_TYPE.subnet;
const IPS_PER_PAGE = 500;

/** Which addresses a new subnet asks for. */
export type Range =
  | { readonly kind: "block"; readonly cidr: string }
  | { readonly kind: "count"; readonly count: number };

export interface CreateSubnet {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly name: string;
  readonly range: Range | undefined;
  readonly rail: number | undefined;
}

/** Creates a subnet. Errors: every bad field at once; quota; no block of that size left. */
export function createSubnet<A>(
  ctx: ServiceContext,
  call: Mutation<Subnet, A>,
  input: CreateSubnet,
): Promise<A> {
  const account = accountOf(call.principal);
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const network = await findNetwork(mine, input.clusterNetworkId);
    const blocks = await mine.subnets.blocks(network.id);
    const faults = new Faults();
    const block = await checkRange(mine, faults, { range: input.range, network, blocks });
    await checkRail(tx, faults, { network, rail: input.rail });
    const taken = nameTaken(mine, network.id);
    const name = await chooseName(faults, {
      field: "name",
      name: input.name,
      rng: given.rng,
      taken,
    });
    faults.throwIfAny();
    const cidr = block ?? carved(input.range, network, blocks);
    await mine.quotas.take("subnets-per-network", 1, network.id);
    const subnet: Subnet = {
      id: newId("subnet", given),
      clusterNetworkId: network.id,
      name,
      cidr,
      availableCount: cidrSize(cidr) - PROVIDER_IPS,
      rail: input.rail,
      ...newborn(given, account),
    };
    await mine.subnets.insert(subnet);
    return subnet;
  });
}

export function getSubnet(
  ctx: ServiceContext,
  call: TenantCall,
  path: SubnetPath,
): Promise<Subnet> {
  return readMine(ctx, call, (tx) => findSubnet(tx.mine, path));
}

export function listSubnets(
  ctx: ServiceContext,
  call: TenantCall,
  query: ListQuery<SubnetFilter>,
): Promise<Page<Subnet>> {
  return readMine(ctx, call, async (tx) => {
    const { mine } = tx;
    await findNetwork(mine, query.filter.clusterNetworkId);
    return mine.subnets.list(query);
  });
}

export interface UpdateSubnet extends SubnetPath {
  readonly etag: string;
  readonly mask: readonly string[];
  readonly name: string;
}

/** Renames a subnet. */
export function updateSubnet<A>(
  ctx: ServiceContext,
  call: Mutation<Subnet, A>,
  input: UpdateSubnet,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const before = await findSubnet(mine, input);
    const faults = new Faults();
    checkMask(faults, input.mask, ["name"]);
    const renamed = input.mask.includes("name") && input.name !== before.name;
    const taken = nameTaken(mine, before.clusterNetworkId);
    const wish = { field: "cluster_network_subnet.name", name: input.name, taken };
    if (renamed) await checkNewName(faults, wish);
    faults.throwIfAny();
    checkEtag(before, input.etag, TYPE);
    if (!renamed) return before;
    const after = touched({ ...before, name: input.name }, given.rng);
    await mine.subnets.update(after);
    return after;
  });
}

/** Deletes a subnet that no interface uses; its unbound reserved IPs go with it. */
export function deleteSubnet<A>(
  ctx: ServiceContext,
  call: Mutation<Subnet, A>,
  input: SubnetPath & { readonly etag: string },
): Promise<A> {
  return mutateMine(ctx, call, async (tx) => {
    const { mine } = tx;
    const subnet = await findSubnet(mine, input);
    checkEtag(subnet, input.etag, TYPE);
    const { clusterNetworkId, id } = subnet;
    const users = await mine.interfaces.list({
      filter: { clusterNetworkId, subnetId: id },
      limit: HOLDERS_MAX,
    });
    if (users.total > 0) {
      throw refuse("precondition", `an interface uses ${TYPE} ${id}`, {
        reason: "SUBNET_IN_USE_INTERFACE_EXISTS",
        resource: { type: TYPE, id },
        holders: users.rows.map((row) => ({ type: RESOURCE_TYPE.interface, id: row.id })),
      });
    }
    await dropSubnet(mine, subnet);
    return lastState(subnet);
  });
}

/** Removes a subnet in which no interface is left, with all its reserved IPs. */
export async function dropSubnet(mine: AccountRows, subnet: Subnet): Promise<void> {
  let given = 0;
  for (;;) {
    const filter = { subnetId: subnet.id };
    const page = await mine.reservedIps.list({ filter, limit: IPS_PER_PAGE });
    for (const ip of page.rows) await mine.reservedIps.delete(ip.id);
    given += page.rows.length;
    if (!page.more) break;
  }
  if (given > 0) await mine.quotas.giveBack("reserved-ips", given);
  await mine.subnets.delete(subnet.id);
  await mine.quotas.giveBack("subnets-per-network", 1, subnet.clusterNetworkId);
}

interface Wanted {
  readonly range: Range | undefined;
  readonly network: ClusterNetwork;
  /** What the network's subnets have. */
  readonly blocks: readonly Cidr[];
}

/** The block that is asked for; undefined when it may not be had, or a count is asked for. */
async function checkRange(
  mine: AccountReads,
  faults: Faults,
  wanted: Wanted,
): Promise<Cidr | undefined> {
  const { range } = wanted;
  if (!range) {
    faults.invalid("range", "needs ipv4_cidr_block or total_ipv4_address_count");
  } else if (range.kind === "block") {
    return checkBlock(mine, faults, { ...wanted, text: range.cidr });
  } else if (!isSubnetCount(range.count)) {
    const description = "must be a power of two from 8 to 16777216";
    faults.invalid("total_ipv4_address_count", description);
  }
  return undefined;
}

async function checkBlock(
  mine: AccountReads,
  faults: Faults,
  { text, network, blocks }: Omit<Wanted, "range"> & { readonly text: string },
): Promise<Cidr | undefined> {
  const field = "ipv4_cidr_block";
  const cidr = checkSubnetBlock(faults, { field, text }, network.prefix);
  if (!cidr || !blocks.some((block) => cidrsOverlap(block, cidr))) return cidr;
  const siblings = await mine.subnets.ofNetwork(network.id);
  const rival = siblings.find((sibling) => cidrsOverlap(sibling.cidr, cidr));
  if (!rival) throw bug(`${text} overlaps no subnet of network ${network.id}`);
  addOverlap(faults, field, rival);
  return undefined;
}

/** The block that a count gets; throws `exhausted` when none of that size is left. */
function carved(range: Range | undefined, network: ClusterNetwork, blocks: readonly Cidr[]): Cidr {
  if (range?.kind !== "count") throw bug("a fault was not recorded");
  const cidr = carve(network.prefix, blocks, range.count);
  if (cidr) return cidr;
  const text = `no free block of ${range.count} addresses is left in the prefix`;
  throw refuse("exhausted", text, {
    reason: "SUBNET_RANGE_EXHAUSTED",
    fields: [{ field: "total_ipv4_address_count", description: text }],
    resource: { type: RESOURCE_TYPE.clusterNetwork, id: network.id },
  });
}

async function checkRail(
  tx: TenantTx,
  faults: Faults,
  wanted: { readonly network: ClusterNetwork; readonly rail: number | undefined },
): Promise<void> {
  if (wanted.rail === undefined) return;
  const rails = (await tx.profiles.clusterNetwork(wanted.network.profile))?.rails ?? 0;
  if (wanted.rail < rails) return;
  faults.invalid("rail", `must be less than ${rails}, the rails of ${wanted.network.profile}`);
}

function nameTaken(mine: AccountReads, clusterNetworkId: ClusterNetworkId) {
  return (name: string) => hasAny(mine.subnets, { clusterNetworkId, name });
}
