// The mzone document taken apart: one object per thing declared, in the domain's own words, with
// its key and its place in the document. Knows nothing of what is stored.
import type { AccountId } from "@railyard/lib/ids";
import type { CatalogItem } from "../catalog-item.js";
import type { HardwareKind, LeafGroup, PhysicalCluster } from "../physical-cluster.js";
import type { ClusterNetworkProfile, InstanceProfile } from "../profile.js";
import type { HardwareDecl, Mzone } from "./document.js";
import { declaredClusterNetworkProfile, declaredInstanceProfile } from "./profiles.js";

export type DeclaredCluster = Omit<PhysicalCluster, "id" | "leafGroups">;

export interface DeclaredServer {
  readonly name: string;
  readonly serial: string;
  /** Absent: it runs instances. */
  readonly role?: "fabric";
  readonly zone: string;
  readonly cluster: string;
  readonly leafGroup: string;
  readonly hardware: string;
  readonly cabling: readonly {
    readonly rail: number;
    readonly port: number;
    readonly leaf: string;
  }[];
}

/**
 * One declared object. `key` is unique within its kind; `path` is where the document declares it.
 */
export type MzoneObject = {
  readonly key: string;
  /** Its name behind those of its holders, such as `us-east-3/wdc07-hopper-a`. */
  readonly name: string;
  readonly path: string;
} & (
  | { readonly kind: "hardware"; readonly row: HardwareKind }
  | { readonly kind: "zone"; readonly row: { readonly name: string } }
  | { readonly kind: "physicalCluster"; readonly row: DeclaredCluster }
  | { readonly kind: "leafGroup"; readonly row: LeafGroup & { readonly cluster: string } }
  | { readonly kind: "instanceProfile"; readonly row: InstanceProfile }
  | { readonly kind: "clusterNetworkProfile"; readonly row: ClusterNetworkProfile }
  | { readonly kind: CatalogItem["kind"]; readonly row: CatalogItem }
  | { readonly kind: "server"; readonly row: DeclaredServer }
);
export type ObjectKind = MzoneObject["kind"];

/** Everything the document declares, each after what it refers to. */
export function objectsOf(mzone: Mzone): readonly MzoneObject[] {
  return [
    ...mzone.hardware.map((row, i) => ({
      ...named("hardware", row.name, `hardware[${i}]`),
      row: hardwareKind(row),
    })),
    ...mzone.zones.map(({ name }, i) => ({ ...named("zone", name, `zones[${i}]`), row: { name } })),
    ...mzone.zones.flatMap(clusterObjects),
    ...mzone.profiles.instances.map((row, i) => ({
      ...named("instanceProfile", row.name, `profiles.instances[${i}]`),
      row: declaredInstanceProfile(row),
    })),
    ...mzone.profiles.clusterNetworks.map((row, i) => ({
      ...named("clusterNetworkProfile", row.name, `profiles.clusterNetworks[${i}]`),
      row: declaredClusterNetworkProfile(row),
    })),
    ...catalogObjects(mzone.catalog),
    ...mzone.zones.flatMap(serverObjects),
  ];
}

function named<K extends ObjectKind>(kind: K, name: string, path: string) {
  return { kind, key: name, name, path };
}

function hardwareKind({ memoryGiB, diskGiB, ...rest }: HardwareDecl): HardwareKind {
  return { ...rest, memoryGib: memoryGiB, diskGib: diskGiB };
}

function clusterObjects(zone: Mzone["zones"][number], z: number): MzoneObject[] {
  return zone.physicalClusters.flatMap((cluster, c): MzoneObject[] => {
    const { name, type, enabled, leafGroups } = cluster;
    const [min = 0, max = 0] = cluster.isolation.range;
    const isolation = { kind: cluster.isolation.kind, min, max };
    const path = `zones[${z}].physicalClusters[${c}]`;
    const row = { name, type, enabled, isolation, zone: zone.name };
    const holder = `${zone.name}/${name}`;
    return [
      { kind: "physicalCluster", key: name, name: holder, path, row },
      ...leafGroups.map((group, g) => ({
        kind: "leafGroup" as const,
        key: `${name}/${group.name}`,
        name: `${holder}/${group.name}`,
        path: `${path}.leafGroups[${g}]`,
        row: { cluster: name, name: group.name, rails: byRail(group.rails) },
      })),
    ];
  });
}

function byRail(rails: LeafGroup["rails"]): LeafGroup["rails"] {
  return [...rails].sort((a, b) => a.rail - b.rail);
}

function serverObjects(zone: Mzone["zones"][number], z: number): MzoneObject[] {
  return zone.servers.map(({ role, ...server }, s) => ({
    kind: "server",
    key: server.name,
    name: `${zone.name}/${server.name}`,
    path: `zones[${z}].servers[${s}]`,
    row: { ...server, zone: zone.name, ...(role === "fabric" && { role }) },
  }));
}

function catalogObjects(catalog: Mzone["catalog"]): MzoneObject[] {
  const { images, keys, vpcs, vpcSubnets, volumes } = catalog;
  const items: readonly (readonly [string, CatalogItem])[] = [
    ...images.map((row, i) => [`images[${i}]`, { kind: "image", ...owned(row) }] as const),
    ...keys.map((row, i) => [`keys[${i}]`, { kind: "key", ...owned(row) }] as const),
    ...vpcs.map((row, i) => [`vpcs[${i}]`, { kind: "vpc", ...owned(row) }] as const),
    ...vpcSubnets.map(({ vpc, ...row }, i) => {
      return [`vpcSubnets[${i}]`, { kind: "vpcSubnet", vpcId: vpc, ...owned(row) }] as const;
    }),
    ...volumes.map(({ capacityGiB: capacityGib, ...row }, i) => {
      return [`volumes[${i}]`, { kind: "volume", capacityGib, ...owned(row) }] as const;
    }),
  ];
  return items.map(([where, row]) => ({
    kind: row.kind,
    key: row.id,
    name: row.id,
    path: `catalog.${where}`,
    row,
  }));
}

function owned<T extends { readonly account: string | undefined }>(
  row: T,
): Omit<T, "account"> & { readonly account: AccountId | undefined } {
  return { ...row, account: row.account as AccountId | undefined };
}
