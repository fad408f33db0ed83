// Use cases of reserved IPs, and the two moves that interfaces share with them: taking an address
// with its row, and letting both go. Free addresses are the store's to find.
import { cidrHas, formatCidr, formatIpv4, parseIpv4 } from "@railyard/lib/address";
import { type RailyardError, refuse } from "@railyard/lib/errors";
import { type ClusterNetworkId, newId, type SubnetId } from "@railyard/lib/ids";
import { Faults } from "../domain/faults.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Subnet } from "../domain/subnet.js";
import type {
  AccountReads,
  AccountRows,
  ListQuery,
  Page,
  ReservedIpFilter,
} from "../store/contract.js";
import { checkEtag, checkMask, lastState, newborn, touched } from "./change.js";
import type { Mutation, ServiceContext, TenantCall } from "./context.js";
import { findReservedIp, findSubnet, type ReservedIpPath } from "./find.js";
import type { Given } from "./mutate.js";
import { checkNewName, chooseName, hasAny } from "./naming.js";
import { holderOf, pageOfAll } from "./provider-ip.js";
import { mutateMine, readMine } from "./tenant.js";

const TYPE = RESOURCE_TYPE.reservedIp;

export interface ReservedIpView {
  readonly reservedIp: ReservedIp;
  /** Name of the interface it is bound to. */
  readonly targetName: string | undefined;
}

export interface CreateReservedIp {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly subnetId: SubnetId;
  /** Empty: any free address. */
  readonly address: string;
  readonly name: string;
}

/** Reserves an address. Errors: every bad field at once; quota; no address left. */
export function createReservedIp<A>(
  ctx: ServiceContext,
  call: Mutation<ReservedIpView, A>,
  input: CreateReservedIp,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const { clusterNetworkId, subnetId } = input;
    const subnet = await findSubnet(mine, { clusterNetworkId, id: subnetId });
    const faults = new Faults();
    const wanted = { field: "address", text: input.address };
    const address = await checkAddress(mine, faults, { subnet, ...wanted });
    const taken = ipNameTaken(mine, subnet.id);
    const name = await chooseName(faults, {
      field: "name",
      name: input.name,
      rng: given.rng,
      taken,
    });
    faults.throwIfAny();
    const got = await takeAddress(mine, subnet, { address, field: wanted.field });
    const id = newId("reservedIp", given);
    const free = { autoDelete: false, targetId: undefined };
    const reservedIp = newReservedIp(given, { id, subnet, name, address: got, ...free });
    await insertReservedIps(mine, [reservedIp]);
    return { reservedIp, targetName: undefined };
  });
}

export function getReservedIp(
  ctx: ServiceContext,
  call: TenantCall,
  path: ReservedIpPath,
): Promise<ReservedIpView> {
  return readMine(ctx, call, async (tx) => {
    const { mine } = tx;
    return reservedIpView(mine, await findReservedIp(mine, path));
  });
}

export function listReservedIps(
  ctx: ServiceContext,
  call: TenantCall,
  query: ListQuery<ReservedIpFilter> & { readonly clusterNetworkId: ClusterNetworkId },
): Promise<Page<ReservedIpView>> {
  return readMine(ctx, call, async (tx) => {
    const { mine } = tx;
    const { clusterNetworkId, filter } = query;
    const subnet = await findSubnet(mine, { clusterNetworkId, id: filter.subnetId });
    const page = await pageOfAll(mine, subnet, query);
    const rows: ReservedIpView[] = [];
    for (const row of page.rows) rows.push(await reservedIpView(mine, row));
    return { ...page, rows };
  });
}

export interface UpdateReservedIp extends ReservedIpPath {
  readonly etag: string;
  readonly mask: readonly string[];
  readonly name: string;
  readonly autoDelete: boolean;
}

/** Renames a reserved IP or sets its auto_delete. */
export function updateReservedIp<A>(
  ctx: ServiceContext,
  call: Mutation<ReservedIpView, A>,
  input: UpdateReservedIp,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const before = await findReservedIp(mine, input);
    const faults = new Faults();
    checkMask(faults, input.mask, ["name", "auto_delete"]);
    const name = input.mask.includes("name") ? input.name : before.name;
    const autoDelete = input.mask.includes("auto_delete") ? input.autoDelete : before.autoDelete;
    const field = "cluster_network_subnet_reserved_ip";
    const wish = { field: `${field}.name`, name, taken: ipNameTaken(mine, before.subnetId) };
    if (name !== before.name) await checkNewName(faults, wish);
    if (autoDelete && !before.targetId) {
      const description = "must be false while the reserved IP is bound to no interface";
      faults.invalid(`${field}.auto_delete`, description, "AUTO_DELETE_UNBOUND");
    }
    faults.throwIfAny();
    refuseProviderOwned(before);
    checkEtag(before, input.etag, TYPE);
    if (name === before.name && autoDelete === before.autoDelete)
      return reservedIpView(mine, before);
    const after = touched({ ...before, name, autoDelete }, given.rng);
    await mine.reservedIps.update(after);
    return reservedIpView(mine, after);
  });
}

/** Gives an unbound address of the account back. */
export function deleteReservedIp<A>(
  ctx: ServiceContext,
  call: Mutation<ReservedIpView, A>,
  input: ReservedIpPath & { readonly etag: string },
): Promise<A> {
  return mutateMine(ctx, call, async (tx) => {
    const { mine } = tx;
    const row = await findReservedIp(mine, input);
    refuseProviderOwned(row);
    checkEtag(row, input.etag, TYPE);
    if (row.targetId) {
      throw refuse("precondition", `an interface uses ${TYPE} ${row.id}`, {
        reason: "RESERVED_IP_IN_USE_INTERFACE_EXISTS",
        resource: { type: TYPE, id: row.id },
        holders: [{ type: RESOURCE_TYPE.interface, id: row.targetId }],
      });
    }
    await dropReservedIp(mine, row);
    return { reservedIp: lastState(row), targetName: undefined };
  });
}

/** The address that `text` names, when it lies in the subnet and nobody holds it; else a fault. */
export async function checkAddress(
  mine: AccountReads,
  faults: Faults,
  wanted: { readonly subnet: Subnet; readonly field: string; readonly text: string },
): Promise<number | undefined> {
  const { subnet, field, text } = wanted;
  if (text === "") return undefined;
  const address = parseIpv4(text);
  if (address === undefined) {
    faults.invalid(field, "must be an IPv4 address such as 10.0.0.4");
  } else if (!cidrHas(subnet.cidr, address)) {
    const description = `must lie inside the subnet's block ${formatCidr(subnet.cidr)}`;
    faults.invalid(field, description, "ADDRESS_OUTSIDE_SUBNET");
  } else {
    const holder = await holderOf(mine, subnet, address);
    if (!holder) return address;
    faults.add({
      code: "exists",
      field,
      description: `${text} is held by ${TYPE} ${holder.id}`,
      reason: "ADDRESS_TAKEN",
      resource: { type: TYPE, id: holder.id },
    });
  }
  return undefined;
}

/** Takes a checked address, or any; throws `exhausted` when the subnet has none left. */
export async function takeAddress(
  mine: AccountRows,
  subnet: Subnet,
  wanted: { readonly address: number | undefined; readonly field: string },
): Promise<number> {
  const { address, field } = wanted;
  const got = await mine.addresses.take(subnet.id, address);
  if (got !== undefined) return got;
  if (address === undefined) throw noAddressLeft(subnet, field);
  const description = `${formatIpv4(address)} is taken`;
  throw refuse("exists", description, {
    reason: "ADDRESS_TAKEN",
    fields: [{ field, description }],
    resource: { type: RESOURCE_TYPE.subnet, id: subnet.id },
  });
}

/** Refuses `field`, which asks for any address of a subnet that has none left. */
export function noAddressLeft({ id }: Subnet, field: string): RailyardError {
  const description = `${RESOURCE_TYPE.subnet} ${id} has no free address left`;
  return refuse("exhausted", description, {
    reason: "ADDRESSES_EXHAUSTED",
    fields: [{ field, description }],
    resource: { type: RESOURCE_TYPE.subnet, id },
  });
}

/** The row of an address that is taken for a user. */
export function newReservedIp(
  given: Given,
  wanted: Pick<ReservedIp, "id" | "name" | "address" | "autoDelete" | "targetId"> & {
    readonly subnet: Subnet;
  },
): ReservedIp {
  const { id, subnet, name, address, autoDelete, targetId } = wanted;
  return {
    id,
    clusterNetworkId: subnet.clusterNetworkId,
    subnetId: subnet.id,
    name,
    address,
    autoDelete,
    owner: "user",
    targetId,
    ...newborn(given, subnet.account),
  };
}

/** Writes rows of addresses already taken, against the quota. */
export async function insertReservedIps(
  mine: AccountRows,
  rows: readonly ReservedIp[],
): Promise<void> {
  if (rows.length > 0) await mine.quotas.take("reserved-ips", rows.length);
  await mine.reservedIps.insertAll(rows);
}

/**
 * Removes a reserved IP of the account that no interface needs any more; its address is free
 * again.
 */
export async function dropReservedIp(mine: AccountRows, row: ReservedIp): Promise<void> {
  await mine.reservedIps.delete(row.id);
  await mine.addresses.giveBack(row.subnetId, row.address);
  await mine.quotas.giveBack("reserved-ips", 1);
}

/** Whether a name is taken among a subnet's reserved IPs. */
export function ipNameTaken(mine: AccountReads, subnetId: SubnetId) {
  return (name: string) => hasAny(mine.reservedIps, { subnetId, name });
}

function refuseProviderOwned({ id, owner }: ReservedIp): void {
  if (owner === "user") return;
  throw refuse("precondition", `${TYPE} ${id} belongs to the provider`, {
    reason: "RESERVED_IP_PROVIDER_OWNED",
    resource: { type: TYPE, id },
  });
}

/** The reserved IP with what its references show. */
export async function reservedIpView(
  mine: AccountReads,
  reservedIp: ReservedIp,
): Promise<ReservedIpView> {
  const { targetId } = reservedIp;
  const target = targetId && (await mine.interfaces.get(targetId));
  return { reservedIp, targetName: target?.name };
}
