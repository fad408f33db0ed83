// Checks that an instance can change to another profile: it is on offer, supports the network that
// the attachments are in, and permits that many of them; their rails are those of the new shape.
import type { Attachment } from "../domain/attachment.js";
import type { Faults } from "../domain/faults.js";
import type { Instance } from "../domain/instance.js";
import type { InstanceProfile } from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { layoutOf } from "./attachment.js";
import type { Ordered } from "./attachment-write.js";
import type { ServiceContext } from "./context.js";
import { alignRails, checkRoom, homeOf } from "./instance-attachments.js";
import { railShape } from "./rail-set.js";
import type { TenantReads } from "./tenant.js";

const FIELD = "instance.profile";

/** The attachments before and after the change to the profile of `after`; faults if impossible. */
export async function planProfile(
  ctx: ServiceContext,
  { tx, faults }: { readonly tx: TenantReads; readonly faults: Faults },
  after: Instance,
): Promise<{ readonly before: readonly Attachment[]; readonly after: readonly Ordered[] }> {
  const views = await layoutOf(tx, after);
  const before = views.map(({ attachment }) => attachment);
  const profile = await tx.profiles.instance(after.profile);
  if (!profile) {
    if (after.profile === "") faults.invalid(FIELD, "must be set");
    else faults.missing(FIELD, RESOURCE_TYPE.instanceProfile, after.profile);
    return { before, after: [] };
  }
  checkRoom(faults, FIELD, { count: views.length, profile });
  const home = await homeAfter(tx, faults, { instance: after, profile });
  const seats = views.map(({ subnet }) => ({ rail: subnet.rail, field: FIELD }));
  const declared = seats.map(({ rail }) => rail);
  const shape = home && (await railShape(tx, ctx, { profile, home, declared }));
  const reasons = shape ? alignRails(faults, seats, shape) : [];
  return { before, after: before.map((row, i) => ({ row, reasons: reasons[i] ?? [] })) };
}

async function homeAfter(
  tx: TenantReads,
  faults: Faults,
  of: { readonly instance: Instance; readonly profile: InstanceProfile },
) {
  const { clusterNetworkId: id } = of.instance;
  const network = id && (await tx.mine.clusterNetworks.get(id));
  if (!network) return undefined;
  return homeOf(tx, faults, { network, profile: of.profile, field: FIELD });
}
