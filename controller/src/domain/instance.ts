// An instance: a tenant's virtual machine with an ordered list of attachments. Its status and what
// may be asked in which status are decided here.
import type { ClusterNetworkId, InstanceId, NetworkAttachmentId, NodeId } from "@railyard/lib/ids";
import { AWAITING_ABSENCE, type HealthReason, type Owned } from "./lifecycle.js";

export type InstanceStatus =
  | "deleting"
  | "failed"
  | "pending"
  | "restarting"
  | "running"
  | "starting"
  | "stopped"
  | "stopping";

export const INSTANCE_STATUS_REASON_CODES = [
  "cannot_start_capacity",
  "cannot_start_network",
  "stopped_by_host_failure",
] as const;
export type InstanceStatusReasonCode = (typeof INSTANCE_STATUS_REASON_CODES)[number];

/** Why an instance has its status; safe to show to its owner. */
export interface InstanceStatusReason {
  readonly code: InstanceStatusReasonCode;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface VpcNic {
  readonly id: NetworkAttachmentId;
  readonly name: string;
  readonly subnetId: string;
  readonly mac: string;
}

export interface BootVolume {
  readonly id: string;
  readonly name: string;
  readonly capacityGib: number;
}

/** What the creator asked for and what does not change with status. */
export interface InstanceSpec {
  readonly imageId: string;
  /** `undefined`: it boots from local disk. */
  readonly bootVolume: BootVolume | undefined;
  readonly volumeIds: readonly string[];
  readonly primaryNetworkAttachment: VpcNic;
  readonly networkAttachments: readonly VpcNic[];
  readonly keyIds: readonly string[];
  /** Base64; write-only towards tenants, at most 64 KiB decoded. */
  readonly userData: string;
  readonly metadataService: {
    readonly enabled: boolean;
    readonly protocol: "http" | "https";
    readonly hopLimit: number;
  };
  readonly hostFailure: "restart" | "stop";
  readonly placementTarget: string;
}

/** Where an instance is, or was until its absence is observed. */
export interface InstancePlacement {
  readonly nodeId: NodeId;
  /** Stable device ids in pair order, and the rail of each pair. */
  readonly pairs: readonly { readonly gpu: string; readonly nic: string; readonly rail: number }[];
  /**
   * `present`: in the node's desired state. `leaving`: taken out of it with this node generation,
   * its devices still held until a complete report of that generation or later shows no trace.
   */
  readonly phase: "present" | "leaving";
  readonly sinceGeneration: bigint;
  /** Leaving: of the fabric node that was told the same, decimal; absent where there is none. */
  readonly fabricGeneration?: string;
}

export interface Instance extends Owned {
  readonly id: InstanceId;
  readonly name: string;
  readonly profile: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly resourceGroupId: string;
  readonly clusterNetworkId: ClusterNetworkId | undefined;
  readonly spec: InstanceSpec;
  readonly status: InstanceStatus;
  readonly statusReasons: readonly InstanceStatusReason[];
  readonly healthState: "ok" | "degraded" | "faulted" | "inapplicable";
  readonly healthReasons: readonly HealthReason[];
  readonly startable: boolean;
  /** How many boots were asked for. */
  readonly bootCount: number;
  readonly placement: InstancePlacement | undefined;
  /** The node it last ran on, preferred at the next start. */
  readonly previousNodeId: NodeId | undefined;
  /** Digest of the facts last read back on its node; undefined before the first report. */
  readonly observedDigest: string | undefined;
  /** What is done once it has stopped or runs, oldest first. */
  readonly queuedActions: readonly QueuedAction[];
}

export const USER_DATA_BYTES_MAX = 64 * 1024;

/** What an owner may ask of an instance beside deleting it, and in which statuses. */
export const ACTION_STATUSES = {
  start: ["stopped", "failed"],
  stop: ["running", "starting", "restarting", "pending", "failed"],
  reboot: ["running"],
  "attaching to its console": ["running", "starting", "restarting"],
  "changing its attachments": ["stopped", "stopping", "failed"],
  "changing its profile": ["stopped", "failed"],
} as const satisfies Readonly<Record<string, readonly InstanceStatus[]>>;
export type InstanceAction = keyof typeof ACTION_STATUSES;

/** Actions that wait behind another one, and the statuses in which they do. */
const QUEUED_BEHIND = { start: ["stopping"], reboot: ["starting"] } as const satisfies Readonly<
  Partial<Record<InstanceAction, readonly InstanceStatus[]>>
>;
export type QueuedAction = keyof typeof QUEUED_BEHIND;

/** Most actions that may wait for one instance. */
export const QUEUED_ACTIONS_MAX = 4;

/** Whether the action is allowed now. A failed instance counts as stopped once it has no host. */
export function allows(instance: Instance, action: InstanceAction): boolean {
  const statuses: readonly InstanceStatus[] = ACTION_STATUSES[action];
  if (!statuses.includes(instance.status)) return false;
  return action === "stop" || instance.status !== "failed" || instance.placement === undefined;
}

/** Whether the action is one that has to wait now. */
export function queues(instance: Instance, action: QueuedAction): boolean {
  const statuses: readonly InstanceStatus[] = QUEUED_BEHIND[action];
  return statuses.includes(instance.status);
}

/** Every status in which the action is carried out or waits. */
export function statusesFor(action: InstanceAction): readonly InstanceStatus[] {
  const behind = action in QUEUED_BEHIND ? QUEUED_BEHIND[action as QueuedAction] : [];
  return [...ACTION_STATUSES[action], ...behind];
}

/**
 * The oldest waiting action that the present status allows; those before it are dropped, and with a
 * start all further ones: they ask for the same, and left over they would undo a later stop.
 */
export function takeQueued(instance: Instance): {
  readonly action: QueuedAction | undefined;
  readonly rest: Instance;
} {
  const { queuedActions: queue } = instance;
  const at = queue.findIndex((action) => allows(instance, action));
  if (at < 0) return { action: undefined, rest: { ...instance, queuedActions: [] } };
  const action = queue[at];
  const later = queue.slice(at + 1).filter((next) => next !== "start" || action !== "start");
  return { action, rest: { ...instance, queuedActions: later } };
}

/** It was given a host and boots there. */
export function toStarting(instance: Instance, placement: InstancePlacement): Instance {
  return {
    ...instance,
    status: "starting",
    statusReasons: [],
    ...UNJUDGED,
    startable: false,
    bootCount: instance.bootCount + 1,
    placement,
    observedDigest: undefined,
  };
}

/** It boots once more where it is. */
export function toRestarting(instance: Instance): Instance {
  return {
    ...instance,
    status: "restarting",
    statusReasons: [],
    ...UNJUDGED,
    startable: false,
    lifecycleState: "stable",
    lifecycleReasons: [],
    bootCount: instance.bootCount + 1,
    observedDigest: undefined,
  };
}

/** The facts read back equal the intended ones: nothing is left to be applied. */
export function toRunning(instance: Instance, observedDigest: string): Instance {
  return {
    ...instance,
    status: "running",
    statusReasons: [],
    healthState: "ok",
    healthReasons: [],
    startable: false,
    lifecycleState: "stable",
    lifecycleReasons: [],
    observedDigest,
  };
}

/** It runs, but its newest change has not been read back yet. */
export function toUpdating(instance: Instance): Instance {
  if (instance.status !== "running") return instance;
  return {
    ...instance,
    lifecycleState: "updating",
    lifecycleReasons: [
      { code: "awaiting_apply", message: "the newest change has not been read back yet" },
    ],
  };
}

/** It could not be started. With a placement it still holds its host and leaves it. */
export function toFailed(
  instance: Instance,
  reason: InstanceStatusReason,
  placement?: InstancePlacement,
): Instance {
  return {
    ...instance,
    status: "failed",
    statusReasons: [reason],
    ...UNJUDGED,
    startable: placement === undefined,
    lifecycleState: "stable",
    lifecycleReasons: [],
    placement,
    observedDigest: undefined,
    queuedActions: [],
  };
}

/** It is being taken off its host, which it holds until it was seen gone. */
export function toStopping(instance: Instance, placement: InstancePlacement): Instance {
  return {
    ...instance,
    status: "stopping",
    statusReasons: [],
    ...UNJUDGED,
    startable: false,
    lifecycleState: "stable",
    lifecycleReasons: [],
    placement,
  };
}

/** It does not run and holds no host; why it was stopped stays said. */
export function toStopped(instance: Instance): Instance {
  return {
    ...offHost(instance),
    status: "stopped",
    statusReasons: instance.status === "stopping" ? instance.statusReasons : [],
    startable: true,
    lifecycleState: "stable",
    lifecycleReasons: [],
  };
}

/** It is being deleted; whatever it holds it keeps until it was seen gone. */
export function toDeleting(instance: Instance, placement?: InstancePlacement): Instance {
  return {
    ...instance,
    status: "deleting",
    statusReasons: [],
    ...UNJUDGED,
    startable: false,
    lifecycleState: "deleting",
    lifecycleReasons: placement ? [AWAITING_ABSENCE] : [],
    placement,
    queuedActions: [],
  };
}

/** It holds no host any more, so nothing judges it; its status stays. */
export function offHost(instance: Instance): Instance {
  const { placement } = instance;
  return {
    ...instance,
    placement: undefined,
    ...UNJUDGED,
    previousNodeId: placement?.nodeId ?? instance.previousNodeId,
    startable: instance.status === "failed" || instance.status === "stopped",
    observedDigest: undefined,
  };
}

const UNJUDGED = { healthState: "inapplicable", healthReasons: [] } as const;
