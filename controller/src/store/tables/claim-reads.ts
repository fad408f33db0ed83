// Claims as they stand in their three tables, put together per instance and per node.
import type { AttachmentId, InstanceId, NodeId } from "@railyard/lib/ids";
import type { Claim, NodeClaims } from "../contract.js";
import { groupBy } from "../group.js";
import { type Sql, type SqlRow, toNumber, toText } from "../sql.js";

/** Claims whose columns equal `only`, by node, then instance. */
export async function readClaims(
  sql: Sql,
  only: { readonly node_id?: NodeId; readonly instance_id?: InstanceId },
): Promise<readonly Claim[]> {
  const where = Object.keys(only).map((column) => `WHERE ${column} = ?`);
  const params = Object.values(only);
  const rows = (table: string, order: string) =>
    sql.all(`SELECT * FROM ${table} ${where.join("")} ORDER BY ${order}`, params);
  const amounts = await rows("amount_claims", "node_id, instance_id");
  const gpus = groupBy(await rows("gpu_claims", "instance_id, pair"), instanceOf);
  const vfs = groupBy(await rows("vf_claims", "instance_id, nic, vf"), instanceOf);
  return amounts.map((row) => {
    const id = instanceOf(row);
    return asClaim(row, gpus.get(id) ?? [], vfs.get(id) ?? []);
  });
}

/** What is spoken for on one node; the sums are those that are kept beside its limits. */
export async function readNodeClaims(sql: Sql, node: NodeId): Promise<NodeClaims> {
  const amounts = await sql.get(
    "SELECT vcpu, memory_mib, disk_gib FROM node_amounts WHERE node_id = ?",
    [node],
  );
  const gpus = await sql.all(
    "SELECT device_id, instance_id FROM gpu_claims WHERE node_id = ? ORDER BY instance_id, pair",
    [node],
  );
  const vfs = await sql.all(
    "SELECT * FROM vf_claims WHERE node_id = ? ORDER BY instance_id, nic, vf",
    [node],
  );
  return {
    nodeId: node,
    gpus: gpus.map((row) => ({ deviceId: toText(row.device_id), instanceId: instanceOf(row) })),
    vfs: vfs.map((row) => ({ ...asVf(row), instanceId: instanceOf(row) })),
    vcpu: amounts ? toNumber(amounts.vcpu) : 0,
    memoryMib: amounts ? toNumber(amounts.memory_mib) : 0,
    diskGib: amounts ? toNumber(amounts.disk_gib) : 0,
  };
}

/** Claims that are ordered by node, summed up per node. */
export function claimsByNode(claims: readonly Claim[]): readonly NodeClaims[] {
  const nodes = groupBy(claims, (claim) => claim.nodeId);
  return [...nodes].map(([nodeId, own]) => ({
    nodeId,
    gpus: own.flatMap(({ gpus, instanceId }) => gpus.map((deviceId) => ({ deviceId, instanceId }))),
    vfs: own.flatMap(({ vfs, instanceId }) => vfs.map((vf) => ({ ...vf, instanceId }))),
    vcpu: sum(own.map((claim) => claim.vcpu)),
    memoryMib: sum(own.map((claim) => claim.memoryMib)),
    diskGib: sum(own.map((claim) => claim.diskGib)),
  }));
}

function asClaim(amount: SqlRow, gpus: readonly SqlRow[], vfs: readonly SqlRow[]): Claim {
  return {
    nodeId: toText<NodeId>(amount.node_id),
    instanceId: instanceOf(amount),
    gpus: gpus.map((row) => toText(row.device_id)),
    vfs: vfs.map(asVf),
    vcpu: toNumber(amount.vcpu),
    memoryMib: toNumber(amount.memory_mib),
    diskGib: toNumber(amount.disk_gib),
  };
}

function asVf(row: SqlRow): Claim["vfs"][number] {
  return {
    nic: toText(row.nic),
    vf: toNumber(row.vf),
    attachmentId: toText<AttachmentId>(row.attachment_id),
  };
}

function instanceOf(row: SqlRow): InstanceId {
  return toText<InstanceId>(row.instance_id);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
