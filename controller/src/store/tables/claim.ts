// What instances hold of nodes: GPUs, VFs, and sums of vCPU, memory and disk that may not pass the
// node's limits. A claim takes all of it or nothing.
import { bug, RailyardError, refuse } from "@railyard/lib/errors";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import type { Claim, ClaimRows, NodeClaims } from "../contract.js";
import type { Work } from "../work.js";
import { claimsByNode, readClaims, readNodeClaims } from "./claim-reads.js";
import { noteNode } from "./node.js";

interface Amounts {
  readonly vcpu: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

export class Claims implements ClaimRows {
  constructor(private readonly work: Work) {}

  async ofNode(node: NodeId): Promise<NodeClaims> {
    return readNodeClaims(this.work.sql, node);
  }

  async all(): Promise<readonly NodeClaims[]> {
    return claimsByNode(await readClaims(this.work.sql, {}));
  }

  async ofInstance(instance: InstanceId): Promise<Claim | undefined> {
    const [claim] = await readClaims(this.work.sql, { instance_id: instance });
    return claim;
  }

  async setLimits(node: NodeId, limits: Amounts): Promise<void> {
    const changed = await this.work.sql.run(
      `INSERT INTO node_amounts
         (node_id, vcpu_max, memory_mib_max, disk_gib_max, vcpu, memory_mib, disk_gib)
       VALUES (?, ?, ?, ?, 0, 0, 0)
       ON CONFLICT (node_id) DO UPDATE SET vcpu_max = excluded.vcpu_max,
         memory_mib_max = excluded.memory_mib_max, disk_gib_max = excluded.disk_gib_max
       WHERE node_amounts.vcpu_max <> excluded.vcpu_max
         OR node_amounts.memory_mib_max <> excluded.memory_mib_max
         OR node_amounts.disk_gib_max <> excluded.disk_gib_max`,
      [node, limits.vcpu, limits.memoryMib, limits.diskGib],
    );
    if (changed > 0) noteNode(this.work, node);
  }

  async claim(claim: Claim): Promise<void> {
    const { nodeId, instanceId } = claim;
    await this.insertAmounts(claim);
    try {
      if (claim.gpus.length + claim.vfs.length > 0) await this.insertDevices(claim);
    } catch (err) {
      const taken = err instanceof RailyardError && err.code === "exists";
      if (!taken) throw err;
      await this.release(instanceId);
      throw lostRace(nodeId, err);
    }
    noteNode(this.work, nodeId);
  }

  async release(instance: InstanceId): Promise<void> {
    const claim = await this.ofInstance(instance);
    if (!claim) return;
    const { sql } = this.work;
    const { nodeId, vcpu, memoryMib, diskGib } = claim;
    for (const table of ["vf_claims", "gpu_claims", "amount_claims", "guest_layouts"]) {
      await sql.run(`DELETE FROM ${table} WHERE instance_id = ?`, [instance]);
    }
    await sql.run(
      `UPDATE node_amounts SET vcpu = vcpu - ?, memory_mib = memory_mib - ?,
         disk_gib = disk_gib - ? WHERE node_id = ?`,
      [vcpu, memoryMib, diskGib, nodeId],
    );
    noteNode(this.work, nodeId);
  }

  private async insertAmounts(claim: Claim): Promise<void> {
    const { sql } = this.work;
    const { nodeId, instanceId, vcpu, memoryMib, diskGib } = claim;
    const made = await sql.run(
      `INSERT INTO amount_claims (instance_id, node_id, vcpu, memory_mib, disk_gib)
       VALUES (?, ?, ?, ?, ?) ON CONFLICT (instance_id) DO NOTHING`,
      [instanceId, nodeId, vcpu, memoryMib, diskGib],
    );
    if (made === 0) throw bug(`instance ${instanceId} holds a claim already`);
    if (await this.addAmounts(claim)) return;
    await sql.run("DELETE FROM amount_claims WHERE instance_id = ?", [instanceId]);
    throw lostRace(nodeId);
  }

  private async insertDevices(claim: Claim): Promise<void> {
    const { sql } = this.work;
    const { nodeId, instanceId } = claim;
    await sql.runEach(
      "INSERT INTO gpu_claims (node_id, device_id, instance_id, pair) VALUES (?, ?, ?, ?)",
      claim.gpus.map((gpu, pair) => [nodeId, gpu, instanceId, pair]),
    );
    await sql.runEach(
      `INSERT INTO vf_claims (node_id, nic, vf, instance_id, attachment_id)
       VALUES (?, ?, ?, ?, ?)`,
      claim.vfs.map(({ nic, vf, attachmentId }) => [nodeId, nic, vf, instanceId, attachmentId]),
    );
  }

  /** False when the node has no room for them. */
  private async addAmounts({ nodeId, vcpu, memoryMib, diskGib }: Claim): Promise<boolean> {
    const added = await this.work.sql.run(
      `UPDATE node_amounts SET vcpu = vcpu + ?, memory_mib = memory_mib + ?,
         disk_gib = disk_gib + ?
       WHERE node_id = ? AND vcpu + ? <= vcpu_max AND memory_mib + ? <= memory_mib_max
         AND disk_gib + ? <= disk_gib_max`,
      [vcpu, memoryMib, diskGib, nodeId, vcpu, memoryMib, diskGib],
    );
    return added > 0;
  }
}

function lostRace(node: NodeId, cause?: unknown): RailyardError {
  return refuse("conflict", `node ${node} no longer has what was to be claimed`, {
    reason: "LOST_RACE",
    cause,
  });
}
