// What a host's silence and its fence mean for the instances on it: unwell, but where and what they
// were, until the host is known to be unable to speak. Pure; texts are safe for owners.
import { type Instance, type InstancePlacement, toStopped, toStopping } from "./instance.js";
import type { HealthReason } from "./lifecycle.js";

const HOST_SILENT: HealthReason = {
  code: "host_silent",
  message: "its host does not answer; it stays where it is until the host is known to be silenced",
};

const SUFFERING: readonly string[] = ["running", "starting", "restarting", "stopping"];

/** The instance on a host that does not answer; the same object when that changes nothing. */
export function onSilentHost(instance: Instance): Instance {
  const { status, placement } = instance;
  if (!SUFFERING.includes(status) || !placement) return instance;
  if (isOnSilentHost(instance)) return instance;
  return { ...instance, healthState: "faulted", healthReasons: [HOST_SILENT] };
}

/** Whether the instance is faulted because its host does not answer. */
export function isOnSilentHost({ healthReasons }: Instance): boolean {
  return healthReasons.some(({ code }) => code === "host_silent");
}

/** A stopping instance whose host answers again: no report judges it, only its end is awaited. */
export function onHeardHost(instance: Instance): Instance {
  const waits = instance.status === "stopping" && isOnSilentHost(instance);
  return waits ? unjudged(instance) : instance;
}

/** An instance that does not run yet, once its host answers again: there is nothing to judge. */
export function unjudged(instance: Instance): Instance {
  return { ...instance, healthState: "inapplicable", healthReasons: [] };
}

/** It is being stopped; on a host that does not answer it stays as unwell as it was. */
export function stoppingThere(instance: Instance, placement: InstancePlacement): Instance {
  const stopping = toStopping(instance, placement);
  if (!isOnSilentHost(instance)) return stopping;
  const { healthState, healthReasons } = instance;
  return { ...stopping, healthState, healthReasons };
}

/** Its host was fenced and it is not to be started elsewhere: it is stopped and can be started. */
export function stoppedByHostFailure(instance: Instance): Instance {
  const message = "its host failed; it can be started again";
  return {
    ...toStopped(instance),
    statusReasons: [{ code: "stopped_by_host_failure", message, metadata: {} }],
    queuedActions: [],
  };
}
