// What one part of the mzone document must say about another: names known, unique, complete; counts
// and ranges that fit each other. Fields that are bad by themselves are not named a second time.
import { NVSWITCH_MODULES } from "@railyard/lib/nvswitch";
import type { IsolationKind } from "../profile.js";
import type { Faults } from "./checker.js";
import type {
  ClusterNetworkProfileDecl,
  HardwareDecl,
  InstanceProfileDecl,
  LeafGroupDecl,
  Mzone,
  PhysicalClusterDecl,
  ServerDecl,
} from "./document.js";

/** Ids that may separate networks, both ends included. */
export const ISOLATION_BOUNDS: Readonly<Record<IsolationKind, readonly [number, number]>> = {
  vlan: [2, 4_094],
  vni: [1, 2 ** 24 - 1],
  pkey: [0x0001, 0x7ffe],
};

/** The kind of isolation id that a profile's networks get. */
export function isolationOf(profile: ClusterNetworkProfileDecl): IsolationKind {
  return profile.isolation ?? (profile.fabric === "infiniband" ? "pkey" : "vlan");
}

/** Adds a fault for every reference, count and range that does not hold. */
export function checkReferences(mzone: Mzone, faults: Faults): void {
  checkUnique(mzone, faults);
  for (const [i, profile] of mzone.profiles.clusterNetworks.entries()) {
    checkNetworkProfile(mzone, profile, { path: `profiles.clusterNetworks[${i}]`, faults });
  }
  for (const [i, profile] of mzone.profiles.instances.entries()) {
    checkInstanceProfile(mzone, profile, { path: `profiles.instances[${i}]`, faults });
  }
  for (const [z, zone] of mzone.zones.entries()) {
    for (const [c, cluster] of zone.physicalClusters.entries()) {
      const at = { path: `zones[${z}].physicalClusters[${c}]`, faults };
      checkCluster(mzone, cluster, at);
      checkFabric(cluster, zone.servers, at);
    }
    for (const [s, server] of zone.servers.entries()) {
      const at = { path: `zones[${z}].servers[${s}]`, faults };
      checkServer({ mzone, clusters: zone.physicalClusters }, server, at);
    }
  }
  for (const [i, kind] of mzone.hardware.entries()) {
    const at = { path: `hardware[${i}]`, faults };
    if (kind.iommu === "shared" && !kind.lab) fault(at, "iommu", "shared needs lab: true");
    if (kind.fabricManager && (!kind.nvSwitch || kind.gpus.count !== NVSWITCH_MODULES)) {
      fault(at, "fabricManager", `needs ${NVSWITCH_MODULES} GPUs behind NVSwitches`);
    }
  }
  checkCatalog(mzone, faults);
}

interface At {
  readonly path: string;
  readonly faults: Faults;
}

function fault(at: At, member: string, description: string): void {
  at.faults.addIfSound(`${at.path}.${member}`, description);
}

function unknown(what: string, name: string): string {
  return `no ${what} is called ${name}`;
}

function checkUnique(mzone: Mzone, faults: Faults): void {
  const once = (paths: readonly (readonly [string, string])[]) => {
    const first = new Map<string, string>();
    for (const [path, value] of paths) {
      const before = first.get(value);
      if (before === undefined) first.set(value, path);
      else faults.addIfSound(path, `${value} is used before at ${before}`);
    }
  };
  const named = (path: string, rows: readonly { readonly name: string }[]) =>
    rows.map((row, i) => [`${path}[${i}].name`, row.name] as const);
  const { profiles, catalog, zones, hardware } = mzone;
  once(named("profiles.clusterNetworks", profiles.clusterNetworks));
  once(named("profiles.instances", profiles.instances));
  once(named("hardware", hardware));
  once(named("zones", zones));
  once(zones.flatMap((z, i) => named(`zones[${i}].physicalClusters`, z.physicalClusters)));
  once(zones.flatMap((z, i) => named(`zones[${i}].servers`, z.servers)));
  once(
    zones.flatMap((z, i) =>
      z.servers.map((s, j) => [`zones[${i}].servers[${j}].serial`, s.serial] as const),
    ),
  );
  for (const [kind, rows] of Object.entries(catalog)) {
    const items: readonly { readonly id: string }[] = rows;
    once(items.map((row, i) => [`catalog.${kind}[${i}].id`, row.id] as const));
  }
}

function checkNetworkProfile(mzone: Mzone, profile: ClusterNetworkProfileDecl, at: At): void {
  const clusters = mzone.zones.flatMap((zone) => zone.physicalClusters);
  for (const [i, type] of profile.clusterTypes.entries()) {
    const ofType = clusters.filter((cluster) => cluster.type === type);
    if (ofType.length === 0) {
      fault(at, `clusterTypes[${i}]`, `no physical cluster is of type ${type}`);
    }
    const wanted = isolationOf(profile);
    const other = ofType.find(({ isolation }) => isolation.kind !== wanted);
    if (other)
      fault(at, "isolation", `is ${wanted}, but ${other.name} has ${other.isolation.kind}`);
    const short = ofType.find(({ leafGroups }) =>
      leafGroups.some((group) => group.rails.length !== profile.rails),
    );
    if (short) fault(at, "rails", `${short.name} has a leaf group with another number of rails`);
  }
  if (profile.minRails > profile.rails) fault(at, "minRails", "must not be more than rails");
  for (const [i, name] of profile.instanceProfiles.entries()) {
    const found = mzone.profiles.instances.find((instance) => instance.name === name);
    const path = `instanceProfiles[${i}]`;
    if (!found) fault(at, path, unknown("instance profile", name));
    else if (!found.attachments) fault(at, path, `${name} takes no cluster network attachments`);
  }
}

function checkInstanceProfile(mzone: Mzone, profile: InstanceProfileDecl, at: At): void {
  const { gpu, attachments } = profile;
  if (gpu && !mzone.hardware.some((kind) => kind.gpus.model === gpu.model)) {
    fault(at, "gpu.model", `no hardware has GPUs of model ${gpu.model}`);
  }
  if (!attachments) return;
  if (!gpu) fault(at, "attachments", "needs a gpu: attachments land beside GPUs");
  if ((attachments.enum === undefined) === (attachments.range === undefined)) {
    fault(at, "attachments", "must have either enum or range");
  }
  const { range } = attachments;
  if (range && range.min > range.max) fault(at, "attachments.range.max", "must not be below min");
  const counts = attachments.enum ?? (range ? [range.min, range.step] : []);
  for (const [i, count] of counts.entries()) {
    if (!gpu || count % gpu.count === 0) continue;
    const member = attachments.enum ? `enum[${i}]` : `range.${i === 0 ? "min" : "step"}`;
    fault(at, `attachments.${member}`, `must be a multiple of the ${gpu.count} GPUs`);
  }
  const preferred = attachments.default;
  if (preferred !== undefined && !attachments.enum?.includes(preferred)) {
    fault(at, "attachments.default", "must be one of enum");
  }
}

function checkCluster(mzone: Mzone, cluster: PhysicalClusterDecl, at: At): void {
  const { kind, range } = cluster.isolation;
  const [least, most] = ISOLATION_BOUNDS[kind];
  for (const [i, id] of range.entries()) {
    if (id >= least && id <= most) continue;
    fault(at, `isolation.range[${i}]`, `must be from ${least} to ${most} for ${kind}`);
  }
  const [min = 0, max = 0] = range;
  if (min > max) fault(at, "isolation.range", "must not end before it starts");
  const names = new Set<string>();
  const leaves = new Set<string>();
  const rails = railsOn(mzone, cluster);
  for (const [i, group] of cluster.leafGroups.entries()) {
    const path = `leafGroups[${i}]`;
    if (names.has(group.name)) fault(at, `${path}.name`, `${group.name} is used before`);
    names.add(group.name);
    checkRails(group, rails, { path: `${at.path}.${path}`, faults: at.faults });
    for (const [r, rail] of group.rails.entries()) {
      for (const [l, leaf] of rail.leaves.entries()) {
        const where = `${path}.rails[${r}].leaves[${l}]`;
        if (leaves.has(leaf)) fault(at, where, `leaf ${leaf} serves another rail already`);
        leaves.add(leaf);
      }
    }
  }
}

/** How many rails the profiles of this cluster's type want; undefined when none names the type. */
function railsOn(mzone: Mzone, cluster: PhysicalClusterDecl): number | undefined {
  const { clusterNetworks } = mzone.profiles;
  return clusterNetworks.find((profile) => profile.clusterTypes.includes(cluster.type))?.rails;
}

function checkRails(group: LeafGroupDecl, wanted: number | undefined, at: At): void {
  const seen = new Set<number>();
  for (const [i, { rail }] of group.rails.entries()) {
    if (seen.has(rail)) fault(at, `rails[${i}].rail`, `rail ${rail} is declared before`);
    seen.add(rail);
  }
  const missing: number[] = [];
  for (let rail = 0; rail < (wanted ?? group.rails.length); rail++) {
    if (!seen.has(rail)) missing.push(rail);
  }
  if (missing.length > 0) fault(at, "rails", `rails ${missing.join(", ")} are not declared`);
}

interface Around {
  readonly mzone: Mzone;
  /** Of the server's zone. */
  readonly clusters: readonly PhysicalClusterDecl[];
}

/** Partition keys are programmed by one writer: the agent beside the cluster's subnet manager. */
function checkFabric(cluster: PhysicalClusterDecl, servers: readonly ServerDecl[], at: At): void {
  const fabrics = servers.filter((s) => s.role === "fabric" && s.cluster === cluster.name);
  const wanted = cluster.isolation.kind === "pkey" ? 1 : 0;
  if (fabrics.length === wanted) return;
  const count = wanted === 1 ? "exactly one server" : "no server";
  fault(at, "isolation.kind", `${cluster.isolation.kind} needs ${count} with role: fabric`);
}

function checkServer({ mzone, clusters }: Around, server: ServerDecl, at: At): void {
  const cluster = clusters.find(({ name }) => name === server.cluster);
  if (server.role === "fabric") {
    if (!cluster)
      fault(at, "cluster", `${unknown("physical cluster", server.cluster)} in this zone`);
    for (const member of ["leafGroup", "hardware"] as const) {
      if (server[member] !== "") fault(at, member, "is not for a server with role: fabric");
    }
    if (server.cabling.length > 0) fault(at, "cabling", "is not for a server with role: fabric");
    return;
  }
  for (const member of ["leafGroup", "hardware"] as const) {
    if (server[member] === "") fault(at, member, "must be set");
  }
  const kind = mzone.hardware.find(({ name }) => name === server.hardware);
  const group = cluster?.leafGroups.find(({ name }) => name === server.leafGroup);
  if (!cluster) fault(at, "cluster", `${unknown("physical cluster", server.cluster)} in this zone`);
  else if (!group) {
    fault(at, "leafGroup", `${unknown("leaf group", server.leafGroup)} in ${cluster.name}`);
  }
  if (!kind) fault(at, "hardware", unknown("kind of hardware", server.hardware));
  if (kind && group) checkCabling({ kind, group }, server, at);
}

interface Plugs {
  readonly kind: HardwareDecl;
  readonly group: LeafGroupDecl;
}

function checkCabling({ kind, group }: Plugs, server: ServerDecl, at: At): void {
  const { count, ports } = kind.nics;
  const leaves = new Set(group.rails.flatMap((rail) => rail.leaves));
  if (count > group.rails.length) {
    fault(at, "hardware", `has ${count} NICs, but ${group.name} has ${group.rails.length} rails`);
  }
  if (count > 0 && group.rails.some((rail) => rail.leaves.length !== ports)) {
    fault(at, "hardware", `NICs have ${ports} port(s), but a rail of ${group.name} has not`);
  }
  for (const [i, { rail, port, leaf }] of server.cabling.entries()) {
    if (rail >= count) fault(at, `cabling[${i}].rail`, `must be below ${count}`);
    if (port >= ports) fault(at, `cabling[${i}].port`, `must be below ${ports}`);
    if (!leaves.has(leaf)) {
      fault(at, `cabling[${i}].leaf`, `${unknown("leaf", leaf)} in ${group.name}`);
    }
  }
}

function checkCatalog({ catalog, zones }: Mzone, faults: Faults): void {
  const zoneNames = new Set(zones.map(({ name }) => name));
  const vpcs = new Set(catalog.vpcs.map(({ id }) => id));
  for (const [i, subnet] of catalog.vpcSubnets.entries()) {
    const at = { path: `catalog.vpcSubnets[${i}]`, faults };
    if (!vpcs.has(subnet.vpc)) fault(at, "vpc", `no VPC has the id ${subnet.vpc}`);
    if (!zoneNames.has(subnet.zone)) fault(at, "zone", unknown("zone", subnet.zone));
  }
  for (const [i, volume] of catalog.volumes.entries()) {
    const at = { path: `catalog.volumes[${i}]`, faults };
    if (!zoneNames.has(volume.zone)) fault(at, "zone", unknown("zone", volume.zone));
  }
}
