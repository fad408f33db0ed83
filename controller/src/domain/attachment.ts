// One position of an instance's ordered list of cluster network attachments, bound to one
// interface. Where a position lands (pair, VF, speed) is decided here, by the contract's rule and
// nothing else.
import type { AttachmentId, ClusterNetworkId, InstanceId, InterfaceId } from "@railyard/lib/ids";
import type { LifecycleReason, Owned } from "./lifecycle.js";
import {
  type ClusterNetworkProfile,
  type InstanceProfile,
  permittedCounts,
  takesWholeNode,
} from "./profile.js";

export interface Attachment extends Owned {
  readonly id: AttachmentId;
  readonly instanceId: InstanceId;
  readonly clusterNetworkId: ClusterNetworkId;
  readonly interfaceId: InterfaceId;
  readonly name: string;
  /** 0-based, without gaps within the instance. */
  readonly position: number;
  /** As last read back; guest side only. */
  readonly observed: "pending" | "applied" | "degraded";
  /** As last read back; empty before. */
  readonly guestPciAddress: string;
  /** The machine's side of it, as last read back; empty before. For operators only. */
  readonly hostPciAddress: string;
}

/** Whether it was removed and only waits until its machine has been seen without it. */
export function isLeaving({ lifecycleState }: Attachment): boolean {
  return lifecycleState === "deleting";
}

/** What is known of an attachment before its machine was looked at. */
export const UNSEEN = { observed: "pending", guestPciAddress: "", hostPciAddress: "" } as const;

const MBPS_PER_GBPS = 1_000;

/** Where one position lands among an instance's pairs, which are in rail order. */
export interface Landing {
  readonly position: number;
  /** Index into the instance's pairs. */
  readonly pair: number;
  /** Which of the attachments that share the pair's NIC this is, in position order. */
  readonly share: number;
  /** Of the NIC's speed, in whole Mb/s: that is how a VF's rate is set and read back. */
  readonly rateMbps: number;
}

/**
 * Position → pair for `count` attachments over `pairs` pairs. `blocked`: pair `floor(p / per)`;
 * `strided`: `p mod pairs`; `per = count / pairs` share a NIC and its speed.
 * `count` must be a multiple of `pairs`; otherwise nothing lands anywhere (empty list).
 */
export function landings(shape: {
  readonly count: number;
  readonly pairs: number;
  readonly nicSpeedGbps: number;
  readonly layout: "blocked" | "strided";
}): readonly Landing[] {
  const { count, pairs, nicSpeedGbps, layout } = shape;
  if (pairs === 0 || count === 0 || count % pairs !== 0) return [];
  const per = count / pairs;
  return Array.from({ length: count }, (_, position) => ({
    position,
    pair: layout === "blocked" ? Math.floor(position / per) : position % pairs,
    share: layout === "blocked" ? position % per : Math.floor(position / pairs),
    rateMbps: Math.floor((nicSpeedGbps * MBPS_PER_GBPS) / per),
  }));
}

/** Where a position lies as its tenant may know it. */
export interface LogicalPlace {
  /** Absent while it is not known: a part of a node whose rails nothing has fixed yet. */
  readonly rail: number | undefined;
  readonly gpuIndex: number;
  readonly nicIndex: number;
  readonly speedGbps: number;
}

/** What the rails of an instance's positions follow from. */
export interface RailShape {
  readonly profile: InstanceProfile;
  readonly network: ClusterNetworkProfile;
  /** Of the instance's pairs, in order, where it is placed or others have fixed them. */
  readonly rails: readonly number[] | undefined;
}

/**
 * The logical place of each position, in order; empty while `count` is not one that the profile
 * permits. Without `rails` they are known only for profiles that take a whole node.
 */
export function logicalPlaces(
  shape: RailShape & { readonly count: number },
): readonly LogicalPlace[] {
  const { count, profile, network, rails } = shape;
  if (!permittedCounts(profile).includes(count)) return [];
  const whole = takesWholeNode(profile, network);
  return landings({
    count,
    pairs: profile.gpu?.count ?? 0,
    nicSpeedGbps: network.speedGbps,
    layout: profile.attachmentLayout,
  }).map(({ pair, rateMbps }) => ({
    rail: rails?.[pair] ?? (whole ? pair : undefined),
    gpuIndex: pair,
    nicIndex: pair,
    speedGbps: Math.floor(rateMbps / MBPS_PER_GBPS),
  }));
}

/**
 * Of `sets`, the one on which the fewest positions are on another rail than declared, the first of
 * those alike; undefined when there is none.
 */
export function nearestRails(
  declared: readonly (number | undefined)[],
  shape: RailShape & { readonly sets: readonly (readonly number[])[] },
): readonly number[] | undefined {
  const wrong = (rails: readonly number[]) =>
    railMismatches(declared, { ...shape, rails }).filter((reason) => reason !== undefined).length;
  let best: { readonly rails: readonly number[]; readonly wrong: number } | undefined;
  for (const rails of shape.sets) {
    const count = wrong(rails);
    if (!best || count < best.wrong) best = { rails, wrong: count };
  }
  return best?.rails;
}

/** A reason for each position whose subnet declares another rail than the position is on. */
export function railMismatches(
  declared: readonly (number | undefined)[],
  shape: RailShape,
): readonly (LifecycleReason | undefined)[] {
  const count = declared.length;
  if (shape.network.railAlignment === "none") return declared.map(() => undefined);
  const places = logicalPlaces({ ...shape, count });
  return declared.map((rail, position) => {
    const actual = places[position]?.rail;
    if (rail === undefined || actual === undefined || rail === actual) return undefined;
    const message = `the subnet declares rail ${rail}, the attachment is on rail ${actual}`;
    return { code: "rail_mismatch", message };
  });
}
