// Makes planned interfaces and takes them away again, with their addresses and MACs. Used by
// interfaces' own calls and by instances, which make and drop them together.
import { newMac } from "@railyard/lib/address";
import { bug, RailyardError, refuse } from "@railyard/lib/errors";
import { type AttachmentId, newId } from "@railyard/lib/ids";
import type { Interface } from "../domain/interface.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import type { AccountRows } from "../store/contract.js";
import { newborn, touched } from "./change.js";
import type { InterfacePlan } from "./interface-plan.js";
import type { Given } from "./mutate.js";
import { dropReservedIp, insertReservedIp, takeAddress } from "./reserved-ip.js";

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
  const addresses = new Map<Making, number>();
  const named = makings.filter(
    ({ plan }) => plan.ip.kind === "new" && plan.ip.address !== undefined,
  );
  for (const making of new Set([...named, ...makings])) {
    const { ip, subnet, path } = making.plan;
    if (ip.kind === "existing") continue;
    const field = ip.address === undefined ? `${path}subnet_id` : `${path}primary_ip.reserved_ip`;
    addresses.set(making, await takeAddress(mine, subnet, { address: ip.address, field }));
  }
  const made: Interface[] = [];
  for (const making of makings) {
    made.push(await makeInterface(mine, given, { ...making, address: addresses.get(making) }));
  }
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

async function makeInterface(
  mine: AccountRows,
  given: Given,
  making: Making & { readonly address: number | undefined },
): Promise<Interface> {
  const { plan, targetId, address } = making;
  const id = newId("interface", given.rng);
  let ip: ReservedIp;
  if (plan.ip.kind === "existing") {
    ip = touched({ ...plan.ip.row, targetId: id }, given.rng);
    await mine.reservedIps.update(ip);
  } else {
    if (address === undefined) throw bug("a planned interface got no address");
    const { name, autoDelete } = plan.ip;
    const bound = { subnet: plan.subnet, name, address, autoDelete, targetId: id };
    ip = await insertReservedIp(mine, given, bound);
  }
  return insertWithMac(mine, given, {
    ...newborn(given, plan.subnet.account),
    id,
    clusterNetworkId: plan.subnet.clusterNetworkId,
    subnetId: plan.subnet.id,
    name: plan.name,
    primaryIpId: ip.id,
    autoDelete: targetId !== undefined && plan.autoDelete,
    allowIpSpoofing: plan.allowIpSpoofing,
    targetId,
  });
}

async function insertWithMac(
  mine: AccountRows,
  given: Given,
  row: Omit<Interface, "mac">,
): Promise<Interface> {
  for (let draw = 0; draw < MAC_DRAWS_MAX; draw++) {
    const made = { ...row, mac: newMac(given.rng) };
    if (await mine.macs.resting(row.clusterNetworkId, made.mac)) continue;
    try {
      await mine.interfaces.insert(made);
      return made;
    } catch (err) {
      // Only a MAC that another interface has is worth another draw.
      const taken = err instanceof RailyardError && err.parts.metadata?.unique;
      if (taken !== "network-mac") throw err;
    }
  }
  throw refuse("exhausted", "no free MAC address was found", { reason: "MAC_ADDRESSES_EXHAUSTED" });
}
