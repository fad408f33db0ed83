// What an agent's report of one instance means: attested, not yet, or not as intended. Pure;
// whatever an owner gets to read here names positions only, never a device or a machine.
import type { Attachment } from "./attachment.js";
import type { GuestLayout } from "./guest-layout.js";
import { isOnSilentHost, unjudged } from "./host-failure.js";
import { type Instance, toRunning } from "./instance.js";
import type { LifecycleReason } from "./lifecycle.js";

/** A device that carries a trace of use; without `vf` the whole device. */
export interface DeviceTrace {
  readonly deviceId: string;
  readonly vf: number | undefined;
}

/** One instance as its agent observed it. */
export interface InstanceObservation {
  readonly instanceId: string;
  readonly phase: "applying" | "present" | "removing" | "failed";
  /** Of the facts read back; empty when they could not be read. */
  readonly digest: string;
  /** For operators. */
  readonly reason: string;
  readonly attachments: readonly {
    readonly position: number;
    readonly guestPciAddress: string;
    readonly hostPciAddress: string;
    readonly observed: Attachment["observed"];
  }[];
  readonly devices: readonly DeviceTrace[];
  /** When it or the digest is new. */
  readonly layout?: GuestLayout | undefined;
  readonly failedSteps: readonly { readonly step: string; readonly reason: string }[];
}

const NOT_ISOLATED: LifecycleReason = {
  code: "awaiting_apply",
  message: "the isolation of its cluster network has not been read back yet",
};

export interface Intent {
  /** Digest that the newest intent must be read back with. */
  readonly digest: string;
  /** Whether the report's pass worked towards that intent. */
  readonly newest: boolean;
  /** Whether its membership on the fabric, where there is one, was read back. */
  readonly isolated: boolean;
}

/**
 * The instance after a report; the same object when nothing changed. It runs only on a match of
 * digests; a pass towards an older intent can attest, but proves nothing wrong.
 */
export function observe(
  instance: Instance,
  seen: InstanceObservation | undefined,
  intent: Intent,
): Instance {
  const { status } = instance;
  if (status !== "starting" && status !== "restarting" && status !== "running") return instance;
  const stands = seen?.phase === "present" && seen.digest === intent.digest;
  if (stands && intent.isolated) return changed(instance, running(instance, seen));
  if (!intent.newest || (status === "running" && instance.lifecycleState === "updating")) {
    return instance;
  }
  if (status === "running") return changed(instance, notAsIntended(instance, seen));
  const struggles = seen?.phase === "failed" || (seen?.failedSteps.length ?? 0) > 0;
  const lifecycleReasons = struggles
    ? [unapplied("apply_failed", seen)]
    : stands
      ? [NOT_ISOLATED]
      : [];
  // Its host speaks again.
  const heard = isOnSilentHost(instance) ? unjudged(instance) : instance;
  return changed(instance, { ...heard, lifecycleReasons });
}

/** The attachment after a report; the same object when nothing changed. */
export function observeAttachment(
  attachment: Attachment,
  seen: InstanceObservation | undefined,
): Attachment {
  const here = seen?.attachments.find(({ position }) => position === attachment.position);
  const observed = here?.observed ?? "pending";
  const { guestPciAddress = "", hostPciAddress = "" } = here ?? {};
  const next = { ...attachment, observed, guestPciAddress, hostPciAddress };
  const same = !looksOther(attachment, next) && hostPciAddress === attachment.hostPciAddress;
  return same ? attachment : next;
}

/** Whether its owner sees a difference. */
export function looksOther(before: Attachment, after: Attachment): boolean {
  return before.observed !== after.observed || before.guestPciAddress !== after.guestPciAddress;
}

function running(instance: Instance, seen: InstanceObservation): Instance {
  const degraded = positions(seen, "degraded");
  const next = toRunning(instance, seen.digest);
  if (degraded.length === 0) return next;
  const message = `the link of the attachments at positions ${degraded.join(", ")} is not well`;
  return {
    ...next,
    healthState: "degraded",
    healthReasons: [{ code: "attachment_degraded", message }],
  };
}

function notAsIntended(instance: Instance, seen: InstanceObservation | undefined): Instance {
  return {
    ...instance,
    healthState: seen ? "degraded" : "faulted",
    healthReasons: [unapplied("layout_mismatch", seen)],
    observedDigest: seen?.digest || undefined,
  };
}

function unapplied<Code extends "apply_failed" | "layout_mismatch">(
  code: Code,
  seen: InstanceObservation | undefined,
): { readonly code: Code; readonly message: string } {
  const pending = seen ? positions(seen, "pending") : [];
  const where = pending.length > 0 ? ` at attachment positions ${pending.join(", ")}` : "";
  const message = `its machine was not read back as intended${where}; it is being retried`;
  return { code, message };
}

function positions(seen: InstanceObservation, state: Attachment["observed"]): readonly number[] {
  return seen.attachments.filter((a) => a.observed === state).map(({ position }) => position);
}

function changed(before: Instance, after: Instance): Instance {
  return judgedAs(before) === judgedAs(after) ? before : after;
}

function judgedAs(instance: Instance): string {
  const { status, statusReasons, healthState, healthReasons, startable } = instance;
  const { lifecycleState, lifecycleReasons, observedDigest } = instance;
  const health = [healthState, healthReasons, startable, observedDigest];
  return JSON.stringify([status, statusReasons, lifecycleState, lifecycleReasons, ...health]);
}
