// A yard for tests of instances that take half of a board.
import { type Rig, rig, WHOLE } from "./rig.js";

export const HALF = "gx3d-half";
export const OTHER_HALF = "gx3d-other-half";

/** A yard whose boards may be shared, with two profiles that take half of one. */
export async function shared(nodes: number, profile = {}): Promise<Rig> {
  const made = await rig({ nodes, profile });
  await made.write(async (tx) => {
    const kind = (await tx.hardware.get("hgx-h100"))!;
    await tx.hardware.put({ ...kind, fabricManager: true });
    const whole = (await tx.profiles.instance(WHOLE))!;
    const attachments = { kind: "enum", values: [4, 8] } as const;
    const half = { name: HALF, vcpu: 80, memoryGib: 896, attachments };
    const gpu = { ...whole.gpu!, count: 4 };
    await tx.profiles.putInstance({ ...whole, ...half, gpu });
    await tx.profiles.putInstance({ ...whole, ...half, name: OTHER_HALF, gpu });
    const network = (await tx.profiles.clusterNetwork("hopper-1"))!;
    const instanceProfiles = [...network.instanceProfiles, HALF, OTHER_HALF];
    await tx.profiles.putClusterNetwork({ ...network, instanceProfiles });
  });
  return made;
}
