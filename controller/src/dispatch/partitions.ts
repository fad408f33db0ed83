// Partitions of a fabric as wire messages, both ways. Whatever an agent sends is taken within
// bounds or refused.
import { invalidField } from "@railyard/lib/errors";
import { guidFrom, guidNumber, isPkey } from "@railyard/lib/guid";
import type {
  PartitionReport,
  DesiredPartition as WirePartition,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { DesiredPartition, PartitionObservation } from "../domain/fabric.js";

/** Ports in all partitions together: a fabric has no more unicast addresses than 49 151. */
const PORTS_MAX = 65_536;

export function wirePartition({ pkey, members }: DesiredPartition): WirePartition {
  return { pkey, members: members.map(guidNumber) };
}

/** Throws `invalid`. */
export function partitionsFrom(reports: readonly PartitionReport[]): PartitionObservation[] {
  const ports = reports.reduce(
    (sum, { members, others }) => sum + members.length + others.length,
    0,
  );
  if (ports > PORTS_MAX) throw invalidField("partitions", `have more than ${PORTS_MAX} ports`);
  const keys = new Set(reports.map(({ pkey }) => pkey));
  if (keys.size !== reports.length || ![...keys].every(isPkey)) {
    throw invalidField("partitions.pkey", "must be different keys from 0x0001 to 0x7FFE");
  }
  return reports.map(({ pkey, members, others }) => {
    return { pkey, members: members.map(guidFrom), others: others.map(guidFrom) };
  });
}
