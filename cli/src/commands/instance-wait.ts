// Waits for an instance and says why it is not there. It knows no verb.
import type { Instance } from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { present } from "../answer.js";
import type { Session } from "../session.js";
import { readInstance } from "./instance-lookup.js";
import { judgeInstance, type Reached, stateOf } from "./instance-state.js";

export interface Settling {
  /** As the verb's answer showed it. */
  readonly instance: Instance;
  readonly target: InstanceStatus.INSTANCE_STATUS_RUNNING | InstanceStatus.INSTANCE_STATUS_STOPPED;
  /** Stay until the target is reached or out of reach. */
  readonly wait: boolean;
}

/** The instance at last; not ok only where waiting ended without the target. */
export async function settleInstance(
  session: Session,
  { instance, target, wait }: Settling,
): Promise<Reached> {
  const reached = wait ? await waitFor(session, instance, target) : { instance, ok: true };
  // Away from a terminal the last state of a wait stands there already.
  const isSaid = wait && !session.progress.live;
  if (reached.instance.status === InstanceStatus.INSTANCE_STATUS_FAILED && !isSaid) {
    session.note(`instance ${reached.instance.name}: ${stateOf(reached.instance)}`);
  }
  return reached;
}

async function waitFor(
  session: Session,
  instance: Instance,
  target: Settling["target"],
): Promise<Reached> {
  const { id, name } = instance;
  const what = `instance ${name}`;
  const first = judgeInstance(instance, target);
  session.progress.show(`${what}: ${first.state}`);
  if (first.t === "done") return first.value;
  const read = async () =>
    judgeInstance(present((await readInstance(session, id)).instance), target);
  return session.wait({ what, read }, { kind: "instance", id });
}
