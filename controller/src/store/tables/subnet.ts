// Subnets in the database. `availableCount` is kept by the addresses alone.
import type { AccountId, ClusterNetworkId, SubnetId } from "@railyard/lib/ids";
import type { Subnet } from "../../domain/subnet.js";
import { int, type Table, text } from "../codec.js";
import type { SubnetFilter, SubnetRows } from "../contract.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

const TABLE: Table<Subnet> = {
  name: "subnets",
  kind: "subnet",
  owned: true,
  columns: {
    id: text(),
    account: text(),
    createdAt: int(),
    name: text(),
    clusterNetworkId: text(),
    availableCount: int(),
  },
  derived: (row) => ({ first_address: row.cidr.first }),
  keptElsewhere: ["available_count"],
};

export class Subnets extends NounRows<Subnet, SubnetId, SubnetFilter> implements SubnetRows {
  constructor(work: Work, account?: AccountId) {
    super(work, TABLE, account);
  }

  ofNetwork(network: ClusterNetworkId): Promise<readonly Subnet[]> {
    return this.where("cluster_network_id = ? ORDER BY first_address", [network]);
  }

  /** Moves the free count by `n`; the subnet shows as updated. */
  async addAvailable(id: SubnetId, n: number): Promise<void> {
    const stored = await this.columnsOf(id);
    if (n === 0) return;
    await this.work.sql.run(
      "UPDATE subnets SET available_count = available_count + ? WHERE id = ?",
      [n, id],
    );
    this.note("updated", id, stored);
  }

  /** Sets the free count of a subnet whose addresses were just opened. */
  async setAvailable(id: SubnetId, count: number): Promise<void> {
    const stored = await this.columnsOf(id);
    if (stored.available_count === BigInt(count)) return;
    await this.work.sql.run("UPDATE subnets SET available_count = ? WHERE id = ?", [count, id]);
    this.note("updated", id, stored);
  }
}
