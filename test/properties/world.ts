// What the property tests share: the tenants' rig with one VPC for every account, and the shortest
// way to an instance. Knows no property.
import { createInstance } from "@railyard/controller/service/instance-create";
import type { SubnetId } from "@railyard/lib/ids";
import { instanceWish, type Rig, rig as tenantRig } from "../tenant/rig.js";

export { ALICE, BOB, networkWish, type Rig } from "../tenant/rig.js";

/** The tenants' rig, whose VPC `vpc-all` every account may use. */
export async function rig(over: { nodes?: number } = {}): Promise<Rig> {
  const made = await tenantRig(over);
  const vpc = { kind: "vpc", id: "vpc-all", name: "vpc-all", account: undefined } as const;
  await made.write((tx) => tx.catalog.put(vpc));
  return made;
}

/** An instance of ALICE without attachments. */
export function createInstanceNamed(made: Rig, subnetId: SubnetId, name: string) {
  return createInstance(made.ctx, made.call(), instanceWish(subnetId, { count: 0, name }));
}
