// What the ports of a fabric carry beside what they should: membership by partition, and what is
// still to be done. Pure; it must not know how ports are read or told.
import { PKEY_DEFAULT } from "@railyard/lib/guid";
import type { DesiredPartition, FabricPort, PartitionReport } from "../../model/fabric.js";

/** Top bit of a partition key: full member, who may speak to everyone in the partition. */
const FULL = 0x8000;

/** A fabric beside what it should be. */
export interface Membership {
  /** By partition key; every desired partition and every one that a port carries. */
  readonly partitions: readonly PartitionReport[];
  /** Whether a port on the fabric is other than desired: the subnet manager must be told. */
  readonly wrong: boolean;
  /** Whether a desired member is not on the fabric: its port may still come up. */
  readonly absent: boolean;
}

/**
 * Compares. A port is a member of a partition only with full membership in it, none in any other,
 * and no more than limited membership in the default one: a full member of that could speak to
 * every port of the fabric.
 */
export function membership(
  desired: readonly DesiredPartition[],
  ports: readonly FabricPort[],
): Membership {
  const carried = carriedBy(ports);
  const present = new Set(ports.map(({ guid }) => guid));
  const wanted = new Map(desired.map(({ pkey, members }) => [pkey, members]));
  const keys = [...new Set([...wanted.keys(), ...carried.keys()])].sort((a, b) => a - b);
  let [wrong, absent] = [false, false];
  const partitions = keys.map((pkey) => {
    const { members = [], others = [] } = carried.get(pkey) ?? {};
    const should = new Set(wanted.get(pkey) ?? []);
    const are = new Set(members);
    const missing = [...should].filter((guid) => !are.has(guid));
    const away = missing.filter((guid) => !present.has(guid));
    const strange = members.filter((guid) => !should.has(guid));
    const amiss = missing.length - away.length + strange.length + others.length;
    if (amiss > 0) wrong = true;
    if (away.length > 0) absent = true;
    return { pkey, members, others, reason: reasonOf(away.length, amiss) };
  });
  return { partitions, wrong, absent };
}

function reasonOf(away: number, amiss: number): string {
  if (amiss > 0) return `${amiss} port(s) are not in the partitions that they should be in`;
  return away > 0 ? `${away} member(s) are not on the fabric yet` : "";
}

interface Carriers {
  readonly members: string[];
  readonly others: string[];
}

function carriedBy(ports: readonly FabricPort[]): ReadonlyMap<number, Carriers> {
  const carried = new Map<number, Carriers>();
  for (const { guid, pkeys } of [...ports].sort((a, b) => (a.guid < b.guid ? -1 : 1))) {
    const isolated = pkeys.filter((key) => key !== PKEY_DEFAULT).length === 1;
    for (const key of new Set(pkeys)) {
      const pkey = key & ~FULL;
      if (pkey === PKEY_DEFAULT) continue;
      const of = carried.get(pkey) ?? { members: [], others: [] };
      carried.set(pkey, of);
      (isolated && key === (pkey | FULL) ? of.members : of.others).push(guid);
    }
  }
  return carried;
}
