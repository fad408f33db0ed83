// MACs at rest in the database. `expire` ends their rest; until then they stay.
import type { ClusterNetworkId } from "@railyard/lib/ids";
import type { Macs } from "../contract.js";
import type { Work } from "../work.js";

export class RestingMacs implements Macs {
  constructor(private readonly work: Work) {}

  async rest(network: ClusterNetworkId, mac: string, until: number): Promise<void> {
    await this.work.sql.run(
      `INSERT INTO resting_macs (cluster_network_id, mac, until) VALUES (?, ?, ?)
       ON CONFLICT (cluster_network_id, mac) DO UPDATE SET until = excluded.until`,
      [network, mac, until],
    );
  }

  async taken(network: ClusterNetworkId, mac: string): Promise<boolean> {
    const row = await this.work.sql.get(
      `SELECT 1 AS found FROM resting_macs WHERE cluster_network_id = ? AND mac = ?
       UNION ALL SELECT 1 FROM interfaces WHERE cluster_network_id = ? AND mac = ? LIMIT 1`,
      [network, mac, network, mac],
    );
    return row !== undefined;
  }
}
