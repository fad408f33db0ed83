// Virtual ports of placed instances on InfiniBand fabrics, and what was last read back of the
// fabrics' own ports. Knows no meaning of a membership.
import type { PhysicalClusterId } from "@railyard/lib/ids";
import type { PortMembership } from "../../domain/fabric.js";
import type { InstancePlacement } from "../../domain/instance.js";
import type { ClaimedPort, FabricRows } from "../contract.js";
import { type SqlRow, toNumber, toText } from "../sql.js";
import { fromJson, type Work } from "../work.js";

const CLAIMED = `
  SELECT f.mac, ids.isolation_id, i.placement FROM nodes n
  JOIN vf_claims v ON v.node_id = n.id
  JOIN instances i ON i.id = v.instance_id
  JOIN attachments a ON a.id = v.attachment_id
  JOIN interfaces f ON f.id = a.interface_id
  JOIN isolation_ids ids ON ids.cluster_network_id = f.cluster_network_id
    AND ids.physical_cluster_id = n.physical_cluster_id
  WHERE n.physical_cluster_id = ? AND i.placement IS NOT NULL`;

export class FabricMembers implements FabricRows {
  constructor(private readonly work: Work) {}

  async claimedPorts(cluster: PhysicalClusterId): Promise<readonly ClaimedPort[]> {
    const rows = await this.work.sql.all(CLAIMED, [cluster]);
    return rows.map((row) => ({
      mac: toText(row.mac),
      pkey: toNumber(row.isolation_id),
      phase: fromJson<InstancePlacement>(row, "placement").phase,
    }));
  }

  async readBack(
    cluster: PhysicalClusterId,
    guids: readonly string[],
  ): Promise<readonly PortMembership[]> {
    const found: PortMembership[] = [];
    for (const guid of guids) {
      const rows = await this.work.sql.all(
        `SELECT guid, pkey, isolated FROM fabric_members
         WHERE physical_cluster_id = ? AND guid = ?`,
        [cluster, guid],
      );
      found.push(...rows.map(membershipOf));
    }
    return found;
  }

  async putReadBack(cluster: PhysicalClusterId, all: readonly PortMembership[]): Promise<number> {
    const { sql } = this.work;
    const rows = await sql.all(
      "SELECT guid, pkey, isolated FROM fabric_members WHERE physical_cluster_id = ?",
      [cluster],
    );
    const before = new Map(rows.map(membershipOf).map((one) => [keyOf(one), one]));
    const after = new Map(all.map((one) => [keyOf(one), one]));
    let changed = 0;
    for (const [key, { guid, pkey }] of before) {
      if (after.has(key)) continue;
      changed += await sql.run(
        "DELETE FROM fabric_members WHERE physical_cluster_id = ? AND guid = ? AND pkey = ?",
        [cluster, guid, pkey],
      );
    }
    for (const [key, { guid, pkey, isolated }] of after) {
      if (before.get(key)?.isolated === isolated) continue;
      changed += await sql.run(
        `INSERT INTO fabric_members (physical_cluster_id, guid, pkey, isolated)
         VALUES (?, ?, ?, ?)
         ON CONFLICT (physical_cluster_id, guid, pkey) DO UPDATE SET isolated = excluded.isolated`,
        [cluster, guid, pkey, Number(isolated)],
      );
    }
    return changed;
  }
}

function membershipOf(row: SqlRow): PortMembership {
  const { guid, pkey, isolated } = row;
  return { guid: toText(guid), pkey: toNumber(pkey), isolated: toNumber(isolated) === 1 };
}

function keyOf({ guid, pkey }: PortMembership): string {
  return `${guid} ${pkey}`;
}
