// Checks the volumes that an instance wants: known, in its zone, named once, and no other
// instance's.
import type { BootVolume } from "../domain/instance.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { lookUp, type TemplateCheck } from "./template-check.js";

const INSTANCES_PER_PAGE = 100;

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
  const users = await volumeUsers(check);
  const seen = new Set<string>();
  let boot: BootVolume | undefined;
  for (const { id, field } of wanted) {
    const volume = await lookUp(check, { kind: "volume", id, field });
    if (seen.has(id)) faults.invalid(`template.${field}`, `volume ${id} is named twice`);
    seen.add(id);
    if (volume && zone && volume.zone !== zone) {
      const description = `the volume is in zone ${volume.zone}, not ${zone}`;
      faults.invalid(`template.${field}`, description, "CATALOG_REFERENCE_MISMATCH");
    }
    const user = users.get(id);
    if (user) {
      faults.add({
        code: "precondition",
        field: `template.${field}`,
        description: `volume ${id} belongs to another instance`,
        reason: "VOLUME_IN_USE",
        holders: [{ type: RESOURCE_TYPE.instance, id: user }],
      });
    }
    if (volume && id === wish.bootVolumeId && !boot) {
      boot = { id, name: volume.name, capacityGib: volume.capacityGib };
    }
  }
  return boot;
}

/** Which of the account's instances has which volume. */
async function volumeUsers({ tx, account }: TemplateCheck): Promise<ReadonlyMap<string, string>> {
  const { instances } = tx.account(account);
  const users = new Map<string, string>();
  let after: { createdAt: number; name: string; id: string } | undefined;
  for (;;) {
    const query = { filter: {}, limit: INSTANCES_PER_PAGE, ...(after && { after }) };
    const page = await instances.list(query);
    for (const { id, spec } of page.rows) {
      for (const volume of spec.volumeIds) users.set(volume, id);
      if (spec.bootVolume) users.set(spec.bootVolume.id, id);
    }
    after = page.rows.at(-1);
    if (!page.more || !after) return users;
  }
}
