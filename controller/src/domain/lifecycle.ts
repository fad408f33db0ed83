// Words that every noun shares: lifecycle, references, principal. Types only; no rules of any one
// noun.
import type { AccountId } from "@railyard/lib/ids";

export type LifecycleState =
  | "deleting"
  | "failed"
  | "pending"
  | "stable"
  | "suspended"
  | "updating"
  | "waiting";

export const LIFECYCLE_REASON_CODES = [
  "apply_failed",
  "awaiting_absence",
  "awaiting_apply",
  "rail_mismatch",
] as const;

/** Why an object is in its lifecycle state; safe to show to its owner. */
export interface LifecycleReason {
  readonly code: (typeof LIFECYCLE_REASON_CODES)[number];
  readonly message: string;
}

/** Why something is still there although it is being deleted. */
export const AWAITING_ABSENCE: LifecycleReason = {
  code: "awaiting_absence",
  message: "it is given back once its machine has been seen without it",
};

export const HEALTH_REASON_CODES = [
  "attachment_degraded",
  "host_silent",
  "layout_mismatch",
] as const;

/** Why an object is not well; safe to show to its owner. */
export interface HealthReason {
  readonly code: (typeof HEALTH_REASON_CODES)[number];
  readonly message: string;
}

/** What every stored tenant object has. Times are milliseconds since 1970 UTC. */
export interface Owned {
  readonly account: AccountId;
  readonly createdAt: number;
  readonly etag: string;
  readonly lifecycleState: LifecycleState;
  readonly lifecycleReasons: readonly LifecycleReason[];
}

/** What is referred to, when it may have gone together with the object that refers to it. */
export interface MaybeGone {
  readonly deleted?: boolean;
}

export const ROLES = [
  "tenant-viewer",
  "tenant-editor",
  "tenant-admin",
  "operator",
  "release-engineer",
  "auditor",
] as const;
export type Role = (typeof ROLES)[number];

/** Who calls. Operators have no account. */
export interface Principal {
  /** Token id, for the audit log. */
  readonly id: string;
  readonly account: AccountId | undefined;
  readonly roles: readonly Role[];
}
