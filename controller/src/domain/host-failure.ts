// What a host's silence and its fence mean for the instances on it: unwell, but where and what they
// were, until the host is known to be unable to speak. Pure; texts are safe for owners.
import { type Instance, toStopped } from "./instance.js";
import type { HealthReason } from "./lifecycle.js";

const HOST_SILENT: HealthReason = {
  code: "host_silent",
  message: "its host does not answer; it stays where it is until the host is known to be silenced",
};

/** The instance on a host that does not answer; the same object when that changes nothing. */
export function onSilentHost(instance: Instance): Instance {
  if (!instance.placement || isOnSilentHost(instance)) return instance;
  return { ...instance, healthState: "faulted", healthReasons: [HOST_SILENT] };
}

/** Whether the instance is faulted because its host does not answer. */
export function isOnSilentHost({ healthReasons }: Instance): boolean {
  return healthReasons.some(({ code }) => code === "host_silent");
}

/** A leaving instance whose host answers again: no report judges it, only its end is awaited. */
export function onHeardHost(instance: Instance): Instance {
  const waits = instance.placement?.phase === "leaving" && isOnSilentHost(instance);
  return waits ? unjudged(instance) : instance;
}

/** An instance that does not run yet, once its host answers again: there is nothing to judge. */
export function unjudged(instance: Instance): Instance {
  return { ...instance, healthState: "inapplicable", healthReasons: [] };
}

/** The instance as it leaves its host: where that does not answer, as unwell as it was before. */
export function stayingAsUnwell(before: Instance, leaving: Instance): Instance {
  if (!leaving.placement || !isOnSilentHost(before)) return leaving;
  const { healthState, healthReasons } = before;
  return { ...leaving, healthState, healthReasons };
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
