// Isolation ids in use or resting, per physical cluster. An id without a row is free, so a range
// may grow or shrink without touching any id.
import { bug } from "@railyard/lib/errors";
import type { ClusterNetworkId, PhysicalClusterId } from "@railyard/lib/ids";
import type { IsolationRows } from "../contract.js";
import { toNumber } from "../sql.js";
import type { Work } from "../work.js";

// Either the range's first id, or the first one whose predecessor has a row and which has none.
const LOWEST_FREE = `
  SELECT min(candidate) AS id FROM (
    SELECT isolation_min AS candidate, isolation_max AS bound FROM physical_clusters
    WHERE id = ? AND NOT EXISTS (
      SELECT 1 FROM isolation_ids WHERE physical_cluster_id = ? AND isolation_id = isolation_min)
    UNION ALL
    SELECT a.isolation_id + 1, c.isolation_max FROM isolation_ids a
    JOIN physical_clusters c ON c.id = a.physical_cluster_id
    WHERE a.physical_cluster_id = ? AND a.isolation_id >= c.isolation_min AND NOT EXISTS (
      SELECT 1 FROM isolation_ids b
      WHERE b.physical_cluster_id = ? AND b.isolation_id = a.isolation_id + 1)
  ) AS candidates WHERE candidate <= bound`;
const PARAMS_OF_LOWEST_FREE = 4;

export class IsolationIds implements IsolationRows {
  constructor(private readonly work: Work) {}

  async take(cluster: PhysicalClusterId, network: ClusterNetworkId): Promise<number | undefined> {
    const params = Array.from({ length: PARAMS_OF_LOWEST_FREE }, () => cluster);
    const row = await this.work.sql.get(LOWEST_FREE, params);
    if (row?.id === null || row?.id === undefined) return undefined;
    await this.work.sql.run(
      `INSERT INTO isolation_ids (physical_cluster_id, isolation_id, cluster_network_id)
       VALUES (?, ?, ?)`,
      [cluster, row.id, network],
    );
    return toNumber(row.id);
  }

  async rest(cluster: PhysicalClusterId, id: number, until: number): Promise<void> {
    const rested = await this.work.sql.run(
      `UPDATE isolation_ids SET cluster_network_id = NULL, resting_until = ?
       WHERE physical_cluster_id = ? AND isolation_id = ? AND cluster_network_id IS NOT NULL`,
      [until, cluster, id],
    );
    if (rested === 0) throw bug(`isolation id of physical cluster ${cluster} is not in use`);
  }

  async free(cluster: PhysicalClusterId): Promise<number> {
    const row = await this.work.sql.get(
      `SELECT c.isolation_max - c.isolation_min + 1 - (
         SELECT count(*) FROM isolation_ids i WHERE i.physical_cluster_id = c.id
         AND i.isolation_id BETWEEN c.isolation_min AND c.isolation_max) AS free
       FROM physical_clusters c WHERE c.id = ?`,
      [cluster],
    );
    return row ? toNumber(row.free) : 0;
  }
}
