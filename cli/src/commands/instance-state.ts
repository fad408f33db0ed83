// What an instance's status says while one waits for another. Pure.
import type { Instance } from "@railyard/proto/gen/railyard/v1/instance";
import {
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { LifecycleReasonCode } from "@railyard/proto/gen/railyard/v1/resource";
import type { Judged } from "../wait.js";
import { reasonsOf, wordOf } from "../words.js";

/** How waiting ended: the state is there, or can no longer come. */
export interface Reached {
  readonly instance: Instance;
  readonly ok: boolean;
}

const {
  INSTANCE_STATUS_RUNNING: RUNNING,
  INSTANCE_STATUS_STOPPED: STOPPED,
  INSTANCE_STATUS_FAILED: FAILED,
  INSTANCE_STATUS_DELETING: DELETING,
} = InstanceStatus;

/** Judges a reading against the status that is waited for. */
export function judgeInstance(
  instance: Instance,
  target: InstanceStatus.INSTANCE_STATUS_RUNNING | InstanceStatus.INSTANCE_STATUS_STOPPED,
): Judged<Reached> {
  const state = stateOf(instance);
  const { status } = instance;
  if (status === target) return { t: "done", state, value: { instance, ok: true } };
  // A start may be queued behind a stop: only what leads nowhere ends the waiting.
  const lost = status === FAILED || status === DELETING;
  return lost ? { t: "done", state, value: { instance, ok: false } } : { t: "waiting", state };
}

/** Whether a start or stop that was made twice had been carried out the first time. */
export function isOnTheWay({ status }: Instance, target: typeof RUNNING | typeof STOPPED): boolean {
  const on: readonly InstanceStatus[] =
    target === RUNNING
      ? [RUNNING, InstanceStatus.INSTANCE_STATUS_STARTING, InstanceStatus.INSTANCE_STATUS_PENDING]
      : [STOPPED, InstanceStatus.INSTANCE_STATUS_STOPPING];
  return on.includes(status);
}

/** Status and why, in one line. */
export function stateOf(instance: Instance): string {
  const why = whyOf(instance).join("; ");
  return wordOf(InstanceStatus, instance.status) + (why && ` (${why})`);
}

/** Every reason for status and lifecycle, a line each, with the counts that belong to it. */
export function whyOf({ statusReasons, lifecycleReasons }: Instance): string[] {
  const status = statusReasons.map(({ code, message, metadata }) => {
    const counts = [...metadata].map(([key, value]) => `${key}=${value}`).join(" ");
    return `${wordOf(InstanceStatusReasonCode, code)}: ${message}${counts && ` [${counts}]`}`;
  });
  const lifecycle = reasonsOf(LifecycleReasonCode, lifecycleReasons);
  return lifecycle ? [...status, ...lifecycle.split("\n")] : status;
}
