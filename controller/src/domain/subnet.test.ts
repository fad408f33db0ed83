// Tests of carving and of the blocks a subnet may have; carving is held to a model that tries
// every place.
import { type Cidr, cidrContains, cidrSize, cidrsOverlap, parseCidr } from "@railyard/lib/address";
import { RailyardError } from "@railyard/lib/errors";
import type { AccountId, ClusterNetworkId, SubnetId } from "@railyard/lib/ids";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Faults } from "./faults.js";
import { PROVIDER_IPS, providerIps, subnetOfProviderIp } from "./reserved-ip.js";
import { carve, checkBlock, checkSubnetBlock, isSubnetCount, tenantRun } from "./subnet.js";

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed) throw new Error(`not a block: ${text}`);
  return parsed;
}

/** The lowest aligned place, found by trying each. */
function modelCarve(prefix: Cidr, taken: readonly Cidr[], count: number): number | undefined {
  const size = cidrSize(prefix);
  for (let first = prefix.first; first + count <= prefix.first + size; first += count) {
    const block = { first, prefix: 32 - Math.log2(count) };
    if (!taken.some((t) => cidrsOverlap(t, block))) return first;
  }
  return undefined;
}

test("carving takes the first free aligned block, like trying every place does", () => {
  const prefix = cidr("10.0.0.0/22");
  const wishes = fc.array(fc.constantFrom(8, 16, 32, 64, 128, 256, 512), { maxLength: 40 });
  const removals = fc.array(fc.nat(39), { maxLength: 20 });
  fc.assert(
    fc.property(wishes, removals, (counts, gone) => {
      let taken: Cidr[] = [];
      for (const [i, count] of counts.entries()) {
        const expected = modelCarve(prefix, taken, count);
        const got = carve(prefix, taken, count);
        expect(got?.first).toBe(expected);
        if (got) {
          expect(cidrSize(got)).toBe(count);
          expect(cidrContains(prefix, got)).toBe(true);
          taken = [...taken, got].sort((a, b) => a.first - b.first);
        }
        if (gone.includes(i)) taken = taken.slice(1);
      }
    }),
  );
});

test("a count larger than the prefix, or than what is left, gets nothing", () => {
  expect(carve(cidr("10.0.0.0/24"), [], 512)).toBeUndefined();
  expect(carve(cidr("10.0.0.0/24"), [cidr("10.0.0.8/29")], 256)).toBeUndefined();
  expect(carve(cidr("128.0.0.0/9"), [], 2 ** 23)).toEqual(cidr("128.0.0.0/9"));
});

test("counts are powers of two from 8 to 2^24", () => {
  expect([8, 256, 2 ** 24].every(isSubnetCount)).toBe(true);
  expect([0, -8, 4, 12, 100, 2 ** 25, Number.NaN].some(isSubnetCount)).toBe(false);
});

test("blocks with host bits or in loopback, link-local, multicast are refused", () => {
  for (const text of [
    "10.0.0.1/24",
    "127.0.0.0/24",
    "169.254.0.0/20",
    "224.0.0.0/8",
    "0.0.0.0/0",
  ]) {
    const faults = new Faults();
    expect(checkBlock(faults, "cidr", text), text).toBeUndefined();
    expect(() => faults.throwIfAny()).toThrow(
      expect.objectContaining({ reason: "SUBNET_PREFIX_INVALID" }),
    );
  }
});

test("a block outside the prefix or of a wrong size says which it is", () => {
  const reasonOf = (text: string) => {
    const faults = new Faults();
    expect(checkSubnetBlock(faults, { field: "b", text }, cidr("10.0.0.0/9"))).toBeUndefined();
    try {
      faults.throwIfAny();
    } catch (err) {
      return err instanceof RailyardError ? err.reason : undefined;
    }
    return undefined;
  };
  expect(reasonOf("11.0.0.0/24")).toBe("SUBNET_RANGE_OUTSIDE_PREFIX");
  expect(reasonOf("10.0.1.0/30")).toBe("SUBNET_PREFIX_INVALID");
});

test("the provider keeps network, first three hosts and broadcast; tenants get the rest", () => {
  const block = cidr("10.0.0.0/29");
  const subnet = {
    id: "cns-1" as SubnetId,
    account: "acc-1" as AccountId,
    clusterNetworkId: "cn-1" as ClusterNetworkId,
    createdAt: 0,
    cidr: block,
  };
  const kept = providerIps(subnet);
  expect(kept.map(({ address }) => address - block.first)).toEqual([0, 1, 2, 3, 7]);
  expect(kept.map(({ id }) => subnetOfProviderIp(id))).toEqual(Array(PROVIDER_IPS).fill("cns-1"));
  expect(tenantRun(block)).toEqual({ first: block.first + 4, last: block.first + 6 });
});
