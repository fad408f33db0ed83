// Reserved IPs in the database.
import type { AccountId, ReservedIpId, SubnetId } from "@railyard/lib/ids";
import type { ReservedIp } from "../../domain/reserved-ip.js";
import { int, type Table, text } from "../codec.js";
import type { ReservedIpFilter, ReservedIpReads } from "../contract.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

const TABLE: Table<ReservedIp> = {
  name: "reserved_ips",
  kind: "reservedIp",
  owned: true,
  columns: {
    id: text(),
    account: text(),
    createdAt: int(),
    name: text(),
    clusterNetworkId: text(),
    subnetId: text(),
    address: int(),
  },
};

export class ReservedIps
  extends NounRows<ReservedIp, ReservedIpId, ReservedIpFilter>
  implements ReservedIpReads
{
  constructor(work: Work, account?: AccountId) {
    super(work, TABLE, account);
  }

  byAddress(subnet: SubnetId, address: number): Promise<ReservedIp | undefined> {
    return this.first("subnet_id = ? AND address = ?", [subnet, address]);
  }
}
