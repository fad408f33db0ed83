// On which rails instances that take a part of a node were last placed, or have room held. A row
// goes with its instance, and counts only while that still is of the network and profile.
import type { ClusterNetworkId, InstanceId } from "@railyard/lib/ids";
import type { RailSet, RailSetRows } from "../contract.js";
import { toText } from "../sql.js";
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
    return row ? fromJson<readonly number[]>(row, "rails") : this.held(network, profile);
  }

  private async held(
    network: ClusterNetworkId,
    profile: string,
  ): Promise<readonly number[] | undefined> {
    const row = await this.work.sql.get(
      `SELECT rails FROM holds
       WHERE cluster_network_id = ? AND profile = ? AND rails IS NOT NULL LIMIT 1`,
      [network, profile],
    );
    return row && fromJson<readonly number[]>(row, "rails");
  }

  async put({ instanceId, clusterNetworkId, profile, rails }: RailSet): Promise<void> {
    const before = await this.of(clusterNetworkId, profile);
    await this.work.sql.run(
      `INSERT INTO rail_sets (instance_id, cluster_network_id, profile, rails) VALUES (?, ?, ?, ?)
       ON CONFLICT (instance_id) DO UPDATE SET cluster_network_id = excluded.cluster_network_id,
         profile = excluded.profile, rails = excluded.rails`,
      [instanceId, clusterNetworkId, profile, JSON.stringify(rails)],
    );
    if (!before) noteRailSet(this.work, "created", { clusterNetworkId, profile });
  }

  async remove(instance: InstanceId): Promise<void> {
    const row = await this.work.sql.get(
      "SELECT cluster_network_id, profile FROM rail_sets WHERE instance_id = ?",
      [instance],
    );
    if (!row) return;
    await this.work.sql.run("DELETE FROM rail_sets WHERE instance_id = ?", [instance]);
    const clusterNetworkId = toText<ClusterNetworkId>(row.cluster_network_id);
    const profile = toText(row.profile);
    if (await this.of(clusterNetworkId, profile)) return;
    noteRailSet(this.work, "deleted", { clusterNetworkId, profile });
  }
}

/** The rails of a network and profile are fixed from now on, or free. */
export function noteRailSet(
  work: Work,
  op: "created" | "deleted",
  { clusterNetworkId: network, profile }: Pick<RailSet, "clusterNetworkId" | "profile">,
): void {
  const entry = { kind: "railSet", id: `${network}/${profile}`, account: undefined, op };
  work.note(entry, { columns: { cluster_network_id: network } });
}
