// Reboots an instance where it is: one more boot is asked for, and it runs again once that boot was
// read back.
import type { InstanceId } from "@railyard/lib/ids";
import { allows, queues } from "../domain/instance.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { checkEtag, touched } from "./change.js";
import type { Mutation, ServiceContext } from "./context.js";
import { findInstance } from "./find.js";
import { refuseHostLost } from "./host-lost.js";
import {
  enqueue,
  type InstanceView,
  instanceView,
  refuseStatus,
  tellInstance,
} from "./instance.js";
import { rebooted } from "./instance-queue.js";
import { mutateMine } from "./tenant.js";

export interface RebootInstance {
  readonly id: InstanceId;
  readonly etag: string;
  /** Drops what waits. */
  readonly force: boolean;
}

/** Reboots a running instance, or a starting one once it runs. */
export function rebootInstance<A>(
  ctx: ServiceContext,
  call: Mutation<InstanceView, A>,
  { id, etag, force }: RebootInstance,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const found = await findInstance(mine, id);
    checkEtag(found, etag, RESOURCE_TYPE.instance);
    await refuseHostLost(tx, found);
    const waits = queues(found, "reboot");
    if (!waits && !allows(found, "reboot")) throw refuseStatus(found, "reboot");
    const instance = force ? { ...found, queuedActions: [] } : found;
    const after = waits ? enqueue(instance, "reboot") : await rebooted(tx, instance);
    const written = touched(after, given.rng);
    await mine.instances.update(written);
    tellInstance(given, written);
    return instanceView(ctx, tx, written);
  });
}
