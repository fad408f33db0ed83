// All tables over one piece of work: what `read` and `write` hand to their function.
import type { AccountId } from "@railyard/lib/ids";
import type { ClusterNetworkProfile, InstanceProfile, Offered } from "../domain/profile.js";
import { trimAccountLogs } from "./account-log.js";
import type { AccountRows, Expired, WriteTx } from "./contract.js";
import { AddressRuns } from "./tables/address.js";
import { Attachments } from "./tables/attachment.js";
import { catalogItems } from "./tables/catalog-item.js";
import { Claims } from "./tables/claim.js";
import { ClusterNetworks } from "./tables/cluster-network.js";
import {
  Declared,
  HARDWARE_KINDS,
  INSTANCE_PROFILES,
  MZONES,
  NETWORK_PROFILES,
  ZONES,
} from "./tables/declared.js";
import { FabricMembers } from "./tables/fabric.js";
import { GuestLayouts } from "./tables/guest-layout.js";
import { forgetEndedHolds, Holds } from "./tables/hold.js";
import { Instances } from "./tables/instance.js";
import { Interfaces } from "./tables/interface.js";
import { IsolationIds } from "./tables/isolation.js";
import { ReadLogs, trimChanges } from "./tables/log.js";
import { RestingMacs } from "./tables/mac.js";
import { metaValues } from "./tables/meta.js";
import { Nodes } from "./tables/node.js";
import { NodeFaults } from "./tables/node-fault.js";
import { NodeOutbox } from "./tables/outbox.js";
import { PhysicalClusters } from "./tables/physical-cluster.js";
import { QuotaCounters } from "./tables/quota.js";
import { RailSets } from "./tables/rail-set.js";
import { RequestRecords } from "./tables/request.js";
import { ReservedIps } from "./tables/reserved-ip.js";
import { Subnets } from "./tables/subnet.js";
import { Tokens } from "./tables/token.js";
import { VolumeUsers } from "./tables/volume.js";
import type { Work } from "./work.js";

const REQUESTS_KEPT_MS = 24 * 60 * 60 * 1000;

/** A transaction; over a work that may not write, every write throws `bug`. */
export function openTransaction(work: Work): WriteTx {
  return {
    account: (account) => accountRows(work, account),
    everyone: accountRows(work),
    instancesOnNode: (node) => new Instances(work).onNode(node),
    loadOfNode: (node) => new Instances(work).loadOfNode(node),
    zones: new Declared(work, ZONES),
    profiles: profileRows(work),
    hardware: new Declared(work, HARDWARE_KINDS),
    catalog: catalogItems(work),
    mzones: new Declared(work, MZONES),
    physicalClusters: new PhysicalClusters(work),
    nodes: new Nodes(work),
    nodeFaults: new NodeFaults(work),
    claims: new Claims(work),
    isolation: new IsolationIds(work),
    railSets: new RailSets(work),
    fabric: new FabricMembers(work),
    volumes: new VolumeUsers(work),
    outbox: new NodeOutbox(work),
    requests: new RequestRecords(work),
    tokens: new Tokens(work),
    logs: new ReadLogs(work),
    meta: metaValues(work),
    moment: () => work.moment(),
    acknowledge: () => work.acknowledge(),
    audit: (about, note) => {
      for (const target of [about, `note/${note}`]) work.audit(target);
    },
    expire: (at) => expire(work, at),
  };
}

function accountRows(work: Work, account?: AccountId): AccountRows {
  return {
    clusterNetworks: new ClusterNetworks(work, account),
    subnets: new Subnets(work, account),
    reservedIps: new ReservedIps(work, account),
    interfaces: new Interfaces(work, account),
    instances: new Instances(work, account),
    attachments: new Attachments(work, account),
    holds: new Holds(work, account),
    guestLayouts: new GuestLayouts(work, account),
    addresses: new AddressRuns(work, account),
    macs: new RestingMacs(work),
    quotas: new QuotaCounters(work, account),
  };
}

function profileRows(work: Work): WriteTx["profiles"] {
  const networks = new Declared<Offered<ClusterNetworkProfile>>(work, NETWORK_PROFILES);
  const instances = new Declared<Offered<InstanceProfile>>(work, INSTANCE_PROFILES);
  return {
    clusterNetworks: () => networks.all(),
    clusterNetwork: (name) => networks.get(name),
    instances: () => instances.all(),
    instance: (name) => instances.get(name),
    putClusterNetwork: (row) => networks.put(row),
    putInstance: (row) => instances.put(row),
    removeClusterNetwork: (name) => networks.remove(name),
    removeInstance: (name) => instances.remove(name),
  };
}

async function expire(work: Work, at: number): Promise<Expired> {
  const { sql } = work;
  const requests = await sql.run("DELETE FROM request_records WHERE at < ?", [
    at - REQUESTS_KEPT_MS,
  ]);
  const ids = await sql.run("DELETE FROM isolation_ids WHERE resting_until <= ?", [at]);
  const macs = await sql.run("DELETE FROM resting_macs WHERE until <= ?", [at]);
  await forgetEndedHolds(work, at);
  const changes = (await trimAccountLogs(sql)) + (await trimChanges(sql, work.revision));
  return { requests, quarantines: ids + macs, changes };
}
