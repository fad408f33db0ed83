// Checks the volumes that an instance wants: known, in its zone, named once, and no other
// instance's.
import type { BootVolume, Instance } from "../domain/instance.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { lookUp, type TemplateCheck } from "./template-check.js";
import type { TenantTx } from "./tenant.js";

/**
 * Adds faults for all volumes of the template; answers with the one to boot from, if any. `zone`
 * is the instance's, when it was found.
 */
export async function checkVolumes(
  check: TemplateCheck,
  zone: string | undefined,
): Promise<BootVolume | undefined> {
  const { wish, faults } = check;
  const wanted = [
    ...(wish.bootVolumeId ? [{ id: wish.bootVolumeId, field: "boot_volume_id" }] : []),
    ...wish.volumeIds.map((id, i) => ({ id, field: `volume_ids[${i}]` })),
  ];
  if (wanted.length === 0) return undefined;
  const seen = new Set<string>();
  let boot: BootVolume | undefined;
  for (const { id, field } of wanted) {
    const volume = await lookUp(check, { kind: "volume", id, field });
    if (seen.has(id)) faults.invalid(`template.${field}`, `volume ${id} is named twice`);
    if (volume && zone && volume.zone !== zone) {
      const description = `the volume is in zone ${volume.zone}, not ${zone}`;
      faults.invalid(`template.${field}`, description, "CATALOG_REFERENCE_MISMATCH");
    }
    if (volume && !seen.has(id)) await refuseUsed(check, { id, field });
    seen.add(id);
    if (volume && id === wish.bootVolumeId && !boot) {
      boot = { id, name: volume.name, capacityGib: volume.capacityGib };
    }
  }
  return boot;
}

/** Adds a fault when the volume has a user; one of another account is not named. */
async function refuseUsed(
  { tx, account, faults }: TemplateCheck,
  { id, field }: { readonly id: string; readonly field: string },
): Promise<void> {
  const user = await tx.volumes.userOf(id);
  if (!user) return;
  const isOwn = user.account === account;
  faults.add({
    code: "precondition",
    field: `template.${field}`,
    description: `volume ${id} belongs to another instance`,
    reason: "VOLUME_IN_USE",
    resource: { type: RESOURCE_TYPE.volume, id },
    ...(isOwn && { holders: [{ type: RESOURCE_TYPE.instance, id: user.instanceId }] }),
  });
}

/** Takes the volumes that `checkVolumes` found free for the stored instance. */
export async function claimVolumes(tx: TenantTx, instance: Instance): Promise<void> {
  const { id: instanceId, account, spec } = instance;
  const boot = spec.bootVolume ? [spec.bootVolume.id] : [];
  for (const volume of [...boot, ...spec.volumeIds]) {
    await tx.volumes.claim(volume, { account, instanceId });
  }
}
