// Cluster network profiles and instance profiles: what may be asked for. Which attachment counts an
// instance profile permits is decided here. Knows nothing of where profiles come from.
import { legalSizes } from "./bundle.js";
import type { HardwareKind } from "./physical-cluster.js";

export type RailAlignment = "required" | "preferred" | "none";
export type IsolationKind = "vlan" | "vni" | "pkey";

export interface ClusterNetworkProfile {
  readonly name: string;
  readonly family: string;
  /** Types of physical cluster that the profile runs on. Never shown to tenants. */
  readonly clusterTypes: readonly string[];
  readonly fabric: "roce" | "infiniband";
  readonly rails: number;
  readonly speedGbps: number;
  readonly mtu: number;
  readonly railAlignment: RailAlignment;
  readonly minRails: number;
  readonly onRailDown: "keep" | "stop";
  readonly subnetRouting: boolean;
  readonly isolationKind: IsolationKind;
  /** Names of the instance profiles that may attach. */
  readonly instanceProfiles: readonly string[];
}

export type AttachmentCount =
  | { readonly kind: "dependent" }
  | { readonly kind: "enum"; readonly values: readonly number[]; readonly default?: number }
  | { readonly kind: "range"; readonly min: number; readonly max: number; readonly step: number };

export interface InstanceProfile {
  readonly name: string;
  readonly family: string;
  readonly vcpu: number;
  readonly memoryGib: number;
  readonly gpu:
    | {
        readonly manufacturer: string;
        readonly model: string;
        readonly count: number;
        /** Of one GPU. */
        readonly memoryGib: number;
      }
    | undefined;
  readonly numaCount: number;
  readonly bandwidthMbps: number;
  readonly diskGib: number;
  /** `undefined`: not cluster-network capable. */
  readonly attachments: AttachmentCount | undefined;
  readonly attachmentLayout: "blocked" | "strided";
}

/** A profile on offer, and since when: milliseconds since 1970 UTC. */
export type Offered<Profile> = Profile & { readonly createdAt: number };

/** Counts other than 0 that the profile permits, ascending; empty when it takes none. */
export function permittedCounts(profile: InstanceProfile): readonly number[] {
  const count = profile.attachments;
  if (!count || count.kind === "dependent") return [];
  if (count.kind === "enum") return [...count.values].sort((a, b) => a - b);
  const out: number[] = [];
  for (let n = count.min; n <= count.max; n += count.step) out.push(n);
  return out;
}

/** The largest count that the profile permits; 0 when it takes none. */
export function largestCount(profile: InstanceProfile): number {
  return permittedCounts(profile).at(-1) ?? 0;
}

/** The count that the profile advises, else the smallest that it permits; 0 when it takes none. */
export function usualCount(profile: InstanceProfile): number {
  const count = profile.attachments;
  const advised = count?.kind === "enum" ? count.default : undefined;
  return advised ?? permittedCounts(profile)[0] ?? 0;
}

/**
 * How many members of a gang of the profile an empty server of the kind has room for. With
 * attachments one: all members are on the same rails, and a server has one pair on each.
 */
export function membersOn(
  hardware: HardwareKind,
  profile: InstanceProfile,
  attached: boolean,
): number {
  if (!hardwareFits(hardware, profile)) return 0;
  const { gpu, vcpu, memoryGib, diskGib } = profile;
  const times = (has: number, each: number) => (each === 0 ? Infinity : Math.floor(has / each));
  const amounts = Math.min(
    times(hardware.vcpu, vcpu),
    times(hardware.memoryGib, memoryGib),
    times(hardware.diskGib, diskGib),
  );
  return gpu ? Math.min(attached ? 1 : times(hardware.gpus.count, gpu.count), amounts) : amounts;
}

/** Zones that offer the profile: those with a physical cluster of one of its types, by name. */
export function zonesOf(
  profile: ClusterNetworkProfile,
  clusters: readonly { readonly type: string; readonly zone: string }[],
): readonly string[] {
  const zones = clusters.filter((c) => profile.clusterTypes.includes(c.type)).map((c) => c.zone);
  return [...new Set(zones)].sort();
}

/** Whether an instance of the profile takes every (GPU, NIC) pair of a node of that network. */
export function takesWholeNode(
  instance: InstanceProfile,
  network: Pick<ClusterNetworkProfile, "rails">,
): boolean {
  return instance.gpu?.count === network.rails;
}

/**
 * Whether a server of the kind, empty, has room for one instance of the profile: its GPUs are of
 * the model, and that many of them may be given away together.
 */
export function hardwareFits(hardware: HardwareKind, profile: InstanceProfile): boolean {
  const { gpu } = profile;
  if (gpu && (hardware.gpus.model !== gpu.model || !legalSizes(hardware).includes(gpu.count))) {
    return false;
  }
  return (
    hardware.vcpu >= profile.vcpu &&
    hardware.memoryGib >= profile.memoryGib &&
    hardware.diskGib >= profile.diskGib
  );
}
