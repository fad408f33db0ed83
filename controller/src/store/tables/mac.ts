// MACs at rest in the database. `expire` ends their rest; until then they stay.
import type { ClusterNetworkId } from "@railyard/lib/ids";
import type { Macs } from "../contract.js";
import { anyOf } from "../few-values.js";
import { toText } from "../sql.js";
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

  async taken(
    networks: readonly ClusterNetworkId[],
    macs: readonly string[],
  ): Promise<ReadonlySet<string>> {
    const [within, named] = [anyOf("cluster_network_id", networks), anyOf("mac", macs)];
    const where = `${within.text} AND ${named.text}`;
    const params = [...within.params, ...named.params];
    const rows = await this.work.sql.all(
      `SELECT mac FROM resting_macs WHERE ${where}
       UNION ALL SELECT mac FROM interfaces WHERE ${where}`,
      [...params, ...params],
    );
    return new Set(rows.map((row) => toText(row.mac)));
  }
}
