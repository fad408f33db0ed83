// What of the declared is in use, and what a plan may therefore not take away or alter. Refusals
// name every field at once.
import { canonicalJson, type Plain } from "@railyard/lib/canonical";
import { type FieldViolation, type ResourceRef, refuse } from "@railyard/lib/errors";
import { type Hold, memberIds } from "../domain/hold.js";
import type { MzoneObject, ObjectKind } from "../domain/mzone/objects.js";
import { keyOf, type Step } from "../domain/mzone/plan.js";
import type { ReadTx } from "../store/contract.js";
import { everyHold, everyInstance, everyNetwork } from "./everything.js";

const HOLDERS_MAX = 100;

/** Names of members in the document where the domain spells them otherwise. */
const SPELLING: Readonly<Record<string, string>> = {
  memoryGib: "memoryGiB",
  diskGib: "diskGiB",
  capacityGib: "capacityGiB",
  vpcId: "vpc",
  isolationKind: "isolation",
};

/**
 * Members that may change, or grow, while the object is in use. An image's bytes may move and a key
 * may be renewed: the next boot sees it, and nothing that is attested changes.
 */
const MAY_CHANGE: Readonly<Partial<Record<ObjectKind, readonly string[]>>> = {
  physicalCluster: ["enabled", "isolation"],
  image: ["name", "path"],
  key: ["name", "publicKey"],
  volume: ["name"],
  vpc: ["name"],
  vpcSubnet: ["name"],
};
const MAY_GROW: Readonly<Partial<Record<ObjectKind, readonly string[]>>> = {
  clusterNetworkProfile: ["clusterTypes", "instanceProfiles"],
};

/** Who uses which declared object, by `keyOf` the object. */
export class Uses {
  private readonly holders = new Map<string, ResourceRef[]>();
  /** Isolation ids in use, by name of the physical cluster. */
  readonly isolationIds = new Map<string, number[]>();

  add(kind: ObjectKind, key: string, holder: ResourceRef): void {
    const at = keyOf({ kind, key });
    const before = this.holders.get(at) ?? [];
    // A hold has room on many servers of a kind and is one holder.
    if (before.at(-1)?.id !== holder.id) this.holders.set(at, [...before, holder]);
  }

  of(object: MzoneObject): readonly ResourceRef[] {
    return this.holders.get(keyOf(object)) ?? [];
  }
}

/** Reads all uses; its cost grows with the yard. */
export async function usesOf(tx: ReadTx): Promise<Uses> {
  const uses = new Uses();
  const clusters = new Map((await tx.physicalClusters.all()).map((c) => [c.id, c.name]));
  for await (const network of everyNetwork(tx)) {
    const holder = { type: "cluster_network", id: network.id };
    const cluster = clusters.get(network.physicalClusterId) ?? "";
    uses.add("clusterNetworkProfile", network.profile, holder);
    uses.add("vpc", network.vpcId, holder);
    uses.add("zone", network.zone, holder);
    uses.add("physicalCluster", cluster, holder);
    uses.isolationIds.set(cluster, [
      ...(uses.isolationIds.get(cluster) ?? []),
      network.isolation.id,
    ]);
  }
  for await (const { id, profile, vpcId, zone, spec, placement } of everyInstance(tx)) {
    const holder = { type: "instance", id };
    uses.add("instanceProfile", profile, holder);
    uses.add("image", spec.imageId, holder);
    uses.add("vpc", vpcId, holder);
    uses.add("zone", zone, holder);
    for (const key of spec.keyIds) uses.add("key", key, holder);
    const volumes = [...(spec.bootVolume ? [spec.bootVolume.id] : []), ...spec.volumeIds];
    for (const volume of volumes) uses.add("volume", volume, holder);
    for (const nic of [spec.primaryNetworkAttachment, ...spec.networkAttachments]) {
      uses.add("vpcSubnet", nic.subnetId, holder);
    }
    const node = placement && (await tx.nodes.get(placement.nodeId));
    if (!node) continue;
    uses.add("server", node.name, holder);
    uses.add("hardware", node.hardware, holder);
    uses.add("leafGroup", `${clusters.get(node.physicalClusterId)}/${node.leafGroup}`, holder);
  }
  for await (const hold of everyHold(tx)) await addHold(tx, uses, hold);
  return uses;
}

/** A hold uses the servers on which it has room, as its instances will. */
async function addHold(tx: ReadTx, uses: Uses, hold: Hold): Promise<void> {
  const holder = { type: "hold", id: hold.id };
  uses.add("instanceProfile", hold.profile, holder);
  for (const member of memberIds(hold)) {
    const claim = await tx.claims.ofInstance(member);
    const node = claim && (await tx.nodes.get(claim.nodeId));
    if (!node) continue;
    const cluster = await tx.physicalClusters.get(node.physicalClusterId);
    uses.add("server", node.name, holder);
    uses.add("hardware", node.hardware, holder);
    uses.add("leafGroup", `${cluster?.name}/${node.leafGroup}`, holder);
  }
}

/**
 * Throws `precondition` MZONE_OBJECT_IN_USE naming every field that takes away or alters what is in
 * use.
 */
export function refuseInUse(steps: readonly Step[], uses: Uses): void {
  const fields: FieldViolation[] = [];
  const used: ResourceRef[] = [];
  const holders: ResourceRef[] = [];
  for (const step of steps) {
    const found = step.action === "create" ? [] : faultsOf(step, uses);
    if (found.length === 0) continue;
    fields.push(...found);
    used.push({ type: snake(step.object.kind), id: step.object.name });
    holders.push(...uses.of(step.object));
  }
  const [first] = used;
  if (!first) return;
  const message = fields.map(({ field, description }) => `${field}: ${description}`).join("; ");
  throw refuse("precondition", message, {
    reason: "MZONE_OBJECT_IN_USE",
    fields,
    resource: first,
    holders: holders.slice(0, HOLDERS_MAX),
  });
}

function faultsOf(
  step: Exclude<Step, { action: "create" }>,
  uses: Uses,
): readonly FieldViolation[] {
  const { object } = step;
  const count = uses.of(object).length;
  if (count === 0) return [];
  const by = `is in use by ${count} object(s)`;
  if (step.action === "delete") {
    const field = object.path.replace(/\[\d+\]$/, "");
    return [{ field, description: `${object.name} ${by} and cannot be removed` }];
  }
  const altered = alteredMembers(step.before, object).map((member) => ({
    field: `${object.path}.${SPELLING[member] ?? member}`,
    description: `${object.name} ${by} and this cannot change`,
  }));
  return [...altered, ...isolationFaults(step, uses)];
}

/** Members that differ and may not while the object is in use. */
function alteredMembers(before: MzoneObject, after: MzoneObject): readonly string[] {
  const old = before.row as unknown as Record<string, Plain>;
  const now = after.row as unknown as Record<string, Plain>;
  const members = new Set([...Object.keys(old), ...Object.keys(now)]);
  return [...members].filter((member) => {
    if (textOf(old[member]) === textOf(now[member])) return false;
    if (MAY_CHANGE[after.kind]?.includes(member)) return false;
    if (!MAY_GROW[after.kind]?.includes(member)) return true;
    const grown = new Set(now[member] as readonly string[]);
    return !(old[member] as readonly string[]).every((value) => grown.has(value));
  });
}

function isolationFaults(
  { before, object }: Extract<Step, { action: "update" }>,
  uses: Uses,
): readonly FieldViolation[] {
  if (before.kind !== "physicalCluster" || object.kind !== "physicalCluster") return [];
  const { kind, min, max } = object.row.isolation;
  const field = `${object.path}.isolation`;
  if (kind !== before.row.isolation.kind) {
    return [{ field: `${field}.kind`, description: "cannot change while networks exist" }];
  }
  const outside = uses.isolationIds.get(object.key)?.filter((id) => id < min || id > max) ?? [];
  if (outside.length === 0) return [];
  const ids = outside.slice(0, 8).join(", ");
  return [{ field: `${field}.range`, description: `excludes ids in use: ${ids}` }];
}

function snake(kind: ObjectKind): string {
  return kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function textOf(value: Plain | undefined): string {
  return value === undefined ? "" : canonicalJson(value);
}
