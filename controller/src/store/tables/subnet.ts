// Subnets in the database. `availableCount` is kept by the addresses alone.
import type { Cidr } from "@railyard/lib/address";
import type { AccountId, ClusterNetworkId, SubnetId } from "@railyard/lib/ids";
import { type Subnet, tenantRun } from "../../domain/subnet.js";
import { decodeRow, int, type Table, text } from "../codec.js";
import type { SubnetFilter, SubnetRows } from "../contract.js";
import { NounRows } from "../rows.js";
import { type SqlRow, toNumber, toText } from "../sql.js";
import type { Work } from "../work.js";

export interface Room {
  readonly run: ReturnType<typeof tenantRun>;
  readonly available: number;
}

/** A block's first address and prefix in one number: prefixes are smaller. */
const PACKED = 64;

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
  derived: ({ cidr }) => ({ first_address: cidr.first, prefix: cidr.prefix }),
  keptElsewhere: ["available_count"],
};

export class Subnets extends NounRows<Subnet, SubnetId, SubnetFilter> implements SubnetRows {
  constructor(work: Work, account?: AccountId) {
    super(work, TABLE, account);
  }

  ofNetwork(network: ClusterNetworkId): Promise<readonly Subnet[]> {
    return this.where("cluster_network_id = ? ORDER BY first_address", [network]);
  }

  async blocks(network: ClusterNetworkId): Promise<readonly Cidr[]> {
    // Read for every new subnet. The index has these columns, and one text of numbers costs a
    // quarter of as many rows.
    const packed = `json_group_array(first_address * ${PACKED} + prefix) AS packed`;
    const [row] = await this.select("cluster_network_id = ?", [network], packed);
    const blocks = JSON.parse(toText(row?.packed)) as number[];
    blocks.sort((a, b) => a - b);
    return blocks.map((block) => ({ first: Math.floor(block / PACKED), prefix: block % PACKED }));
  }

  /** Moves the free count by `n`; the subnet shows as updated. */
  async addAvailable(id: SubnetId, n: number): Promise<void> {
    const stored = await this.columnsOf(id);
    if (n !== 0) await this.writeAvailable(stored, toNumber(stored.available_count) + n);
  }

  /** What tenants may take of the subnet's block, and how much of that is free. */
  async room(id: SubnetId): Promise<Room> {
    const stored = await this.columnsOf(id);
    const cidr = { first: toNumber(stored.first_address), prefix: toNumber(stored.prefix) };
    return { run: tenantRun(cidr), available: toNumber(stored.available_count) };
  }

  private async writeAvailable(stored: SqlRow, count: number): Promise<void> {
    const columns = { ...stored, available_count: BigInt(count) };
    const row = decodeRow(TABLE, columns);
    await this.work.sql.run("UPDATE subnets SET available_count = ? WHERE id = ?", [count, row.id]);
    this.keep(row, columns);
    this.note("updated", row.id, { columns: stored, changed: ["available_count"] });
  }
}
