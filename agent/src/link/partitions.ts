// Turns the partitions of a desired state into the agent's own words, refusing what breaks a rule,
// and partitions read back into wire messages. It must not know how partitions are made.
import { partitionDigest } from "@railyard/lib/attest";
import type { Violations } from "@railyard/lib/errors";
import { guidFrom, guidNumber, isPkey } from "@railyard/lib/guid";
import type {
  DesiredPartition as WirePartition,
  PartitionReport as WireReport,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { DesiredPartition, PartitionReport } from "../model/fabric.js";

/** As many as there are partition keys. */
const PARTITIONS_MAX = 0x7ffe;
/** All partitions together: a fabric has no more unicast addresses. */
const MEMBERS_MAX = 49_151;

/** Keys ascend, and so do the members of each; nobody is in two partitions. */
export function partitionsFrom(
  wires: readonly WirePartition[],
  bad: Violations,
): DesiredPartition[] {
  const count = wires.reduce((sum, { members }) => sum + members.length, 0);
  if (wires.length > PARTITIONS_MAX) bad.add("partitions", "are too many");
  if (count > MEMBERS_MAX) bad.add("partitions.members", "are too many");
  const guids = wires.flatMap(({ members }) => members);
  if (new Set(guids).size !== count) bad.add("partitions.members", "are not different");
  for (const [i, { pkey, members }] of wires.entries()) {
    const path = `partitions[${i}]`;
    if (!isPkey(pkey)) bad.add(`${path}.pkey`, "must be from 0x0001 to 0x7FFE");
    if (pkey <= (wires[i - 1]?.pkey ?? 0)) bad.add(`${path}.pkey`, "must ascend");
    if (members.length === 0) bad.add(`${path}.members`, "must not be empty");
    if (members.some((guid, j) => guid <= (members[j - 1] ?? 0n))) {
      bad.add(`${path}.members`, "must ascend, and none may be 0");
    }
  }
  return wires.map(({ pkey, members }) => ({ pkey, members: members.map(guidFrom) }));
}

export function wirePartition(report: PartitionReport): WireReport {
  const { pkey, members, others, reason } = report;
  return {
    pkey,
    digest: partitionDigest(report),
    members: members.map(guidNumber),
    others: others.map(guidNumber),
    reason,
  };
}
