// Makes planned interfaces and takes them away again, with their addresses and MACs. Used by
// interfaces' own calls and by instances, which make and drop them together.
import { macsTogether } from "@railyard/lib/address";
import { bug, refuse } from "@railyard/lib/errors";
import { type AttachmentId, type InterfaceId, newIds } from "@railyard/lib/ids";
import type { Interface } from "../domain/interface.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import type { AccountRows } from "../store/contract.js";
import { newborn, touched } from "./change.js";
import { drawFree } from "./draw.js";
import type { InterfacePlan } from "./interface-plan.js";
import type { Given } from "./mutate.js";
import { fillNames } from "./naming.js";
import {
  dropReservedIp,
  insertReservedIps,
  newReservedIp,
  noAddressLeft,
  takeAddress,
} from "./reserved-ip.js";

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
  const { rng } = given;
  const networks = [...new Set(makings.map(({ plan }) => plan.subnet.clusterNetworkId))];
  const ids = newIds("interface", given, makings.length);
  const ips = await primaryIps(mine, given, { makings, ids });
  const names = fillNames(
    makings.map(({ plan }) => plan.name),
    given,
  );
  const macs = await drawFree(makings.length, {
    draw: macsTogether(rng),
    taken: (some) => mine.macs.taken(networks, some),
    refusal: noMacLeft,
  });
  const made = makings.map(({ plan, targetId }, i): Interface => {
    const { subnet, autoDelete, allowIpSpoofing } = plan;
    return {
      id: present(ids[i]),
      clusterNetworkId: subnet.clusterNetworkId,
      subnetId: subnet.id,
      name: present(names[i]),
      primaryIpId: present(ips[i]).id,
      mac: present(macs[i]),
      autoDelete: targetId !== undefined && autoDelete,
      allowIpSpoofing,
      targetId,
      ...newborn(given, subnet.account),
    };
  });
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

/** Each interface's address: the one that is there, bound to it, or a new one. */
async function primaryIps(
  mine: AccountRows,
  given: Given,
  of: { readonly makings: readonly Making[]; readonly ids: readonly InterfaceId[] },
): Promise<readonly ReservedIp[]> {
  const { makings, ids } = of;
  const { rng } = given;
  const wanted = makings.flatMap(({ plan: { ip } }) => (ip.kind === "new" ? ip : []));
  const addresses = await takeAddresses(mine, makings);
  const names = fillNames(
    wanted.map(({ name }) => name),
    given,
  );
  const ipIds = newIds("reservedIp", given, wanted.length);
  const ips: ReservedIp[] = [];
  const made: ReservedIp[] = [];
  for (const [i, making] of makings.entries()) {
    const { ip, subnet } = making.plan;
    const targetId = present(ids[i]);
    if (ip.kind === "existing") {
      const bound = touched({ ...ip.row, targetId }, rng);
      await mine.reservedIps.update(bound);
      ips.push(bound);
      continue;
    }
    const [id, name] = [present(ipIds[made.length]), present(names[made.length])];
    const [address, { autoDelete }] = [present(addresses.get(making)), ip];
    const row = newReservedIp(given, { id, subnet, name, address, autoDelete, targetId });
    made.push(row);
    ips.push(row);
  }
  await insertReservedIps(mine, made);
  return ips;
}

function noMacLeft() {
  return refuse("exhausted", "no free MAC address was found", {
    reason: "MAC_ADDRESSES_EXHAUSTED",
  });
}

/** What there is for every interface that is made. */
function present<T>(part: T | undefined): T {
  if (part === undefined) throw bug("a planned interface lacks a part");
  return part;
}
