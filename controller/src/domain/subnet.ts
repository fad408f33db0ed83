// A subnet of a cluster network: one IPv4 block inside the network's prefix. Which blocks are
// legal, and which one a count gets, is decided here.
import {
  type Cidr,
  cidrContains,
  cidrLast,
  cidrSize,
  cidrsOverlap,
  formatCidr,
  parseCidr,
  prefixForCount,
} from "@railyard/lib/address";
import type { ClusterNetworkId, SubnetId } from "@railyard/lib/ids";
import type { Faults } from "./faults.js";
import type { Owned } from "./lifecycle.js";
import { RESOURCE_TYPE } from "./resource-type.js";

export interface Subnet extends Owned {
  readonly id: SubnetId;
  readonly clusterNetworkId: ClusterNetworkId;
  readonly name: string;
  readonly cidr: Cidr;
  /** Addresses that nobody holds, provider-reserved ones excluded; kept exact by the store. */
  readonly availableCount: number;
  /** The rail whose attachments the subnet is meant for; absent = any. */
  readonly rail: number | undefined;
}

const SUBNET_PREFIX_MIN = 8;
const SUBNET_PREFIX_MAX = 29;
const SUBNET_COUNT_MIN = 8;
const SUBNET_COUNT_MAX = 2 ** 24;

/** Loopback, link-local and multicast: never part of a cluster network. */
const FORBIDDEN: readonly Cidr[] = [
  { first: 0x7f00_0000, prefix: 8 },
  { first: 0xa9fe_0000, prefix: 16 },
  { first: 0xe000_0000, prefix: 4 },
];

/**
 * Parses a block for a network's or a subnet's use; adds a fault and answers undefined if illegal.
 */
export function checkBlock(faults: Faults, field: string, text: string): Cidr | undefined {
  const cidr = parseCidr(text);
  const bad = (description: string) => faults.invalid(field, description, "SUBNET_PREFIX_INVALID");
  if (!cidr) {
    bad("must be an IPv4 block such as 10.0.0.0/24 with all host bits zero");
    return undefined;
  }
  if (FORBIDDEN.some((f) => cidrsOverlap(f, cidr))) {
    bad("must not overlap 127.0.0.0/8, 169.254.0.0/16 or 224.0.0.0/4");
    return undefined;
  }
  return cidr;
}

/**
 * The block that `text` names, when a subnet of a network with that prefix may have it, whatever
 * its siblings have; adds a fault otherwise.
 */
export function checkSubnetBlock(
  faults: Faults,
  wanted: { readonly field: string; readonly text: string },
  prefix: Cidr,
): Cidr | undefined {
  const { field, text } = wanted;
  const cidr = checkBlock(faults, field, text);
  if (!cidr) return undefined;
  if (cidr.prefix < SUBNET_PREFIX_MIN || cidr.prefix > SUBNET_PREFIX_MAX) {
    faults.invalid(field, "must be a block from /8 to /29", "SUBNET_PREFIX_INVALID");
    return undefined;
  }
  if (cidrContains(prefix, cidr)) return cidr;
  const description = `must lie inside the network's prefix ${formatCidr(prefix)}`;
  faults.invalid(field, description, "SUBNET_RANGE_OUTSIDE_PREFIX");
  return undefined;
}

/** Adds the fault of a block that a sibling has, or a part of it. */
export function addOverlap(faults: Faults, field: string, rival: Pick<Subnet, "id" | "cidr">) {
  faults.add({
    code: "invalid",
    field,
    description: `overlaps ${formatCidr(rival.cidr)} of subnet ${rival.id}`,
    reason: "SUBNET_RANGE_OVERLAPS",
    holders: [{ type: RESOURCE_TYPE.subnet, id: rival.id }],
  });
}

/** Whether a subnet may be asked for by this count of addresses. */
export function isSubnetCount(count: number): boolean {
  return (
    Number.isInteger(Math.log2(count)) && count >= SUBNET_COUNT_MIN && count <= SUBNET_COUNT_MAX
  );
}

/**
 * The first free aligned block of `count` addresses inside `prefix`, or undefined when none is
 * left. `taken` are the siblings' blocks, disjoint, by first address; `count` is a power of two.
 */
export function carve(prefix: Cidr, taken: readonly Cidr[], count: number): Cidr | undefined {
  const last = cidrLast(prefix);
  let first = prefix.first;
  for (const block of taken) {
    if (first + count <= block.first) break;
    const end = cidrLast(block) + 1;
    if (end > first) first = Math.ceil(end / count) * count;
  }
  if (count > cidrSize(prefix) || first + count - 1 > last) return undefined;
  return { first, prefix: prefixForCount(count) };
}

/** The addresses that tenants may take: all but the provider's, as one run. */
export function tenantRun(cidr: Cidr): { readonly first: number; readonly last: number } {
  return { first: cidr.first + 4, last: cidrLast(cidr) - 1 };
}
