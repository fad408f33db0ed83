// On which rails instances that take a part of a node were last placed. A row goes with its
// instance, and counts only while the instance still is of that network and profile.
import type { ClusterNetworkId, InstanceId } from "@railyard/lib/ids";
import type { RailSet, RailSetRows } from "../contract.js";
import { fromJson, type Work } from "../work.js";

export class RailSets implements RailSetRows {
  constructor(private readonly work: Work) {}

  async of(network: ClusterNetworkId, profile: string): Promise<readonly number[] | undefined> {
    const row = await this.work.sql.get(
      `SELECT s.rails FROM rail_sets s JOIN instances i ON i.id = s.instance_id
       WHERE s.cluster_network_id = ? AND s.profile = ?
         AND i.cluster_network_id = s.cluster_network_id AND i.profile = s.profile LIMIT 1`,
      [network, profile],
    );
    return row && fromJson<readonly number[]>(row, "rails");
  }

  async put({ instanceId, clusterNetworkId, profile, rails }: RailSet): Promise<void> {
    await this.work.sql.run(
      `INSERT INTO rail_sets (instance_id, cluster_network_id, profile, rails) VALUES (?, ?, ?, ?)
       ON CONFLICT (instance_id) DO UPDATE SET cluster_network_id = excluded.cluster_network_id,
         profile = excluded.profile, rails = excluded.rails`,
      [instanceId, clusterNetworkId, profile, JSON.stringify(rails)],
    );
  }

  async remove(instance: InstanceId): Promise<void> {
    await this.work.sql.run("DELETE FROM rail_sets WHERE instance_id = ?", [instance]);
  }
}
