// Makes planned interfaces and takes them away again, with their addresses and MACs. Used by
// interfaces' own calls and by instances, which make and drop them together.
import { newMac } from "@railyard/lib/address";
import { bug, refuse } from "@railyard/lib/errors";
import { type AttachmentId, type InterfaceId, newId } from "@railyard/lib/ids";
import type { Interface } from "../domain/interface.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import type { AccountRows } from "../store/contract.js";
import { newborn, touched } from "./change.js";
import type { InterfacePlan } from "./interface-plan.js";
import type { Given } from "./mutate.js";
import {
  dropReservedIp,
  insertReservedIps,
  newReservedIp,
  noAddressLeft,
  takeAddress,
} from "./reserved-ip.js";

const MAC_DRAWS_MAX = 16;

/** A planned interface and the attachment that it is made for, if any. */
export interface Making {
  readonly plan: InterfacePlan;
  readonly targetId: AttachmentId | undefined;
}

/**
 * Makes all of them, in order. Addresses asked for by value are taken before any free one is, so
 * that no interface of a request takes what another one names. Errors: `exhausted`; quota.
 */
export async function makeInterfaces(
  mine: AccountRows,
  given: Given,
  makings: readonly Making[],
): Promise<readonly Interface[]> {
  const addresses = await takeAddresses(mine, makings);
  const ips: ReservedIp[] = [];
  const made: Interface[] = [];
  for (const making of makings) {
    const id = newId("interface", given.rng);
    const ip = await primaryIp(mine, given, { ...making, id, address: addresses.get(making) });
    if (making.plan.ip.kind === "new") ips.push(ip);
    made.push(await interfaceOf(mine, given, { ...making, id, ip, before: made }));
  }
  await insertReservedIps(mine, ips);
  await mine.interfaces.insertAll(made);
  return made;
}

/** When a dropped interface's MAC may be used again. */
export interface MacRest {
  readonly given: Given;
  /** Wall time, milliseconds. */
  readonly until: number;
}

/** Removes an unattached interface; its MAC rests, its address goes with it or becomes unbound. */
export async function dropInterface(
  mine: AccountRows,
  row: Interface,
  rest: MacRest,
): Promise<void> {
  const ip = await mine.reservedIps.get(row.primaryIpId);
  await mine.interfaces.delete(row.id);
  await mine.macs.rest(row.clusterNetworkId, row.mac, rest.until);
  if (ip?.autoDelete) {
    await dropReservedIp(mine, ip);
  } else if (ip) {
    await mine.reservedIps.update(
      touched({ ...ip, targetId: undefined, autoDelete: false }, rest.given.rng),
    );
  }
}

/** Takes an interface off its attachment: deleted if it says so, free again otherwise. */
export async function unbindInterface(
  mine: AccountRows,
  row: Interface,
  rest: MacRest,
): Promise<void> {
  if (row.autoDelete) return dropInterface(mine, row, rest);
  await mine.interfaces.update(touched({ ...row, targetId: undefined }, rest.given.rng));
}

async function takeAddresses(
  mine: AccountRows,
  makings: readonly Making[],
): Promise<ReadonlyMap<Making, number>> {
  const addresses = new Map<Making, number>();
  const any: Making[] = [];
  for (const making of makings) {
    const { ip, subnet, path } = making.plan;
    if (ip.kind === "existing") continue;
    if (ip.address === undefined) {
      any.push(making);
      continue;
    }
    const named = { address: ip.address, field: `${path}primary_ip.reserved_ip` };
    addresses.set(making, await takeAddress(mine, subnet, named));
  }
  for (const subnet of new Set(any.map(({ plan }) => plan.subnet.id))) {
    const wanting = any.filter(({ plan }) => plan.subnet.id === subnet);
    const got = await mine.addresses.takeLowest(subnet, wanting.length);
    for (const [i, making] of wanting.entries()) {
      const address = got[i];
      const { plan } = making;
      if (address === undefined) throw noAddressLeft(plan.subnet, `${plan.path}subnet_id`);
      addresses.set(making, address);
    }
  }
  return addresses;
}

/** The interface's address: the one that is there, bound to it, or a row to be written. */
async function primaryIp(
  mine: AccountRows,
  given: Given,
  making: Making & { readonly id: InterfaceId; readonly address: number | undefined },
): Promise<ReservedIp> {
  const { plan, id, address } = making;
  if (plan.ip.kind === "existing") {
    const bound = touched({ ...plan.ip.row, targetId: id }, given.rng);
    await mine.reservedIps.update(bound);
    return bound;
  }
  if (address === undefined) throw bug("a planned interface got no address");
  const { name, autoDelete } = plan.ip;
  return newReservedIp(given, { subnet: plan.subnet, name, address, autoDelete, targetId: id });
}

/** The row to be written, with a MAC that is free in the store and among those `before`. */
async function interfaceOf(
  mine: AccountRows,
  given: Given,
  making: Making & {
    readonly id: InterfaceId;
    readonly ip: ReservedIp;
    readonly before: readonly Interface[];
  },
): Promise<Interface> {
  const { plan, targetId, id, ip, before } = making;
  const { clusterNetworkId, account } = plan.subnet;
  const row = {
    ...newborn(given, account),
    id,
    clusterNetworkId,
    subnetId: plan.subnet.id,
    name: plan.name,
    primaryIpId: ip.id,
    autoDelete: targetId !== undefined && plan.autoDelete,
    allowIpSpoofing: plan.allowIpSpoofing,
    targetId,
  };
  for (let draw = 0; draw < MAC_DRAWS_MAX; draw++) {
    const mac = newMac(given.rng);
    if (before.some((other) => other.mac === mac)) continue;
    if (!(await mine.macs.taken(clusterNetworkId, mac))) return { ...row, mac };
  }
  throw refuse("exhausted", "no free MAC address was found", { reason: "MAC_ADDRESSES_EXHAUSTED" });
}
