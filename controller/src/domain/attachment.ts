// One position of an instance's ordered list of cluster network attachments, bound to one
// interface. Where a position lands (pair, VF, speed) is decided here, by the contract's rule and
// nothing else.
import type { AttachmentId, ClusterNetworkId, InstanceId, InterfaceId } from "@railyard/lib/ids";
import type { InstancePlacement } from "./instance.js";
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

/** What is known of an attachment before its machine was looked at. */
export const UNSEEN = { observed: "pending", guestPciAddress: "", hostPciAddress: "" } as const;

/** Where one position lands among an instance's pairs, which are in rail order. */
export interface Landing {
  readonly position: number;
  /** Index into the instance's pairs. */
  readonly pair: number;
  /** Which of the attachments that share the pair's NIC this is, in position order. */
  readonly share: number;
  readonly speedGbps: number;
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
    speedGbps: nicSpeedGbps / per,
  }));
}

/** Where a position lies as its tenant may know it. */
export interface LogicalPlace {
  /** Absent while it is not known: a part of a node that is not placed. */
  readonly rail: number | undefined;
  readonly gpuIndex: number;
  readonly nicIndex: number;
  readonly speedGbps: number;
}

/**
 * The logical place of each position, in order; empty while `count` is not one that the profile
 * permits. Without a placement the rails are known only for profiles that take a whole node.
 */
export function logicalPlaces(shape: {
  readonly count: number;
  readonly profile: InstanceProfile;
  readonly network: ClusterNetworkProfile;
  readonly placement: InstancePlacement | undefined;
}): readonly LogicalPlace[] {
  const { count, profile, network, placement } = shape;
  if (!permittedCounts(profile).includes(count)) return [];
  const whole = takesWholeNode(profile, network);
  return landings({
    count,
    pairs: profile.gpu?.count ?? 0,
    nicSpeedGbps: network.speedGbps,
    layout: profile.attachmentLayout,
  }).map(({ pair, speedGbps }) => ({
    rail: placement?.pairs[pair]?.rail ?? (whole ? pair : undefined),
    gpuIndex: pair,
    nicIndex: pair,
    speedGbps: Math.floor(speedGbps),
  }));
}

/** Shown on an attachment whose subnet declares another rail, where alignment is only preferred. */
export function railMismatch(declared: number, actual: number): LifecycleReason {
  return {
    code: "rail_mismatch",
    message: `the subnet declares rail ${declared}, the attachment is on rail ${actual}`,
  };
}
