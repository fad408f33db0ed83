// Cluster network interfaces in the database.
import type { AccountId, InterfaceId } from "@railyard/lib/ids";
import type { Interface } from "../../domain/interface.js";
import { int, optional, type Table, text } from "../codec.js";
import type { InterfaceFilter, InterfaceReads } from "../contract.js";
import { NounRows } from "../rows.js";
import type { Work } from "../work.js";

const TABLE: Table<Interface> = {
  name: "interfaces",
  kind: "interface",
  owned: true,
  columns: {
    id: text(),
    account: text(),
    createdAt: int(),
    name: text(),
    clusterNetworkId: text(),
    subnetId: text(),
    primaryIpId: text(),
    mac: text(),
    targetId: optional(text()),
  },
};

export class Interfaces
  extends NounRows<Interface, InterfaceId, InterfaceFilter>
  implements InterfaceReads
{
  constructor(work: Work, account?: AccountId) {
    super(work, TABLE, account);
  }
}
