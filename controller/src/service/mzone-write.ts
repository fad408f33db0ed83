// Writes the steps of an mzone plan into the store: rows of profiles, catalog, zones, clusters,
// nodes. Whether a step is allowed was decided before.
import { bug } from "@railyard/lib/errors";
import { newId } from "@railyard/lib/ids";
import type { Mzone } from "../domain/mzone/document.js";
import { type DeclaredServer, type MzoneObject, objectsOf } from "../domain/mzone/objects.js";
import type { Step } from "../domain/mzone/plan.js";
import type { Node } from "../domain/node.js";
import type { HardwareKind, LeafGroup, PhysicalCluster } from "../domain/physical-cluster.js";
import type { Offered } from "../domain/profile.js";
import type { WriteTx } from "../store/contract.js";
import { seenSerial } from "./declared.js";
import { judgedAnew } from "./inventory-breaker.js";
import type { Given } from "./mutate.js";

/** Writes all steps in their order, then looks again at every machine whose declaration changed. */
export async function writeSteps(
  tx: WriteTx,
  given: Given,
  { steps, wanted }: { readonly steps: readonly Step[]; readonly wanted: Mzone },
): Promise<void> {
  for (const step of steps) {
    if (step.action === "delete") await remove(tx, step.object);
    else await put(tx, given, { object: step.object, wanted });
  }
  const touches = ["server", "hardware", "leafGroup"];
  if (steps.some(({ action, object }) => action === "update" && touches.includes(object.kind))) {
    await judgeAgain(tx, steps, given.at);
  }
}

async function remove(tx: WriteTx, object: MzoneObject): Promise<void> {
  const { kind, key } = object;
  if (kind === "hardware") await tx.hardware.remove(key);
  else if (kind === "zone") await tx.zones.remove(key);
  else if (kind === "instanceProfile") await tx.profiles.removeInstance(key);
  else if (kind === "clusterNetworkProfile") await tx.profiles.removeClusterNetwork(key);
  else if (kind === "server") await tx.nodes.delete((await nodeCalled(tx, key)).id);
  else if (kind === "physicalCluster") {
    const cluster = await findCluster(tx, key);
    if (cluster) await tx.physicalClusters.delete(cluster.id);
  } else if (kind === "leafGroup") {
    const cluster = await findCluster(tx, object.row.cluster);
    const leafGroups = cluster?.leafGroups.filter(({ name }) => name !== object.row.name) ?? [];
    if (cluster) await tx.physicalClusters.update({ ...cluster, leafGroups });
  } else await tx.catalog.remove(kind, key);
}

interface Putting {
  readonly object: MzoneObject;
  readonly wanted: Mzone;
}

async function put(tx: WriteTx, given: Given, { object, wanted }: Putting): Promise<void> {
  if (object.kind === "hardware") await putHardware(tx, object.row);
  else if (object.kind === "zone") await tx.zones.put(object.row);
  else if (object.kind === "instanceProfile") {
    const before = await tx.profiles.instance(object.key);
    await tx.profiles.putInstance(offered(given, before, object.row));
  } else if (object.kind === "clusterNetworkProfile") {
    const before = await tx.profiles.clusterNetwork(object.key);
    await tx.profiles.putClusterNetwork(offered(given, before, object.row));
  } else if (object.kind === "server") await putServer(tx, given, object.row);
  else if (object.kind === "physicalCluster") await putCluster(tx, given, { object, wanted });
  else if (object.kind === "leafGroup") await putLeafGroup(tx, object.row.cluster, wanted);
  else await tx.catalog.put(object.row);
}

/** The profile with the time when it was first declared. */
function offered<Profile>(
  given: Given,
  before: Offered<Profile> | undefined,
  row: Profile,
): Offered<Profile> {
  return { ...row, createdAt: before?.createdAt ?? given.at };
}

async function putHardware(tx: WriteTx, row: HardwareKind): Promise<void> {
  const before = await tx.hardware.get(row.name);
  await tx.hardware.put(row);
  if (!before) return;
  for (const node of await tx.nodes.all()) {
    if (node.hardware !== row.name) continue;
    await tx.claims.setLimits(node.id, limitsOf(row));
    if (before.nics.vfs !== row.nics.vfs) await tx.outbox.raise(node.id);
  }
}

function limitsOf({ vcpu, memoryGib, diskGib }: HardwareKind) {
  return { vcpu, memoryMib: memoryGib * 1024, diskGib };
}

async function putCluster(tx: WriteTx, given: Given, { object, wanted }: Putting): Promise<void> {
  if (object.kind !== "physicalCluster") return;
  const before = await findCluster(tx, object.key);
  const leafGroups = groupsOf(wanted, object.key);
  if (before) await tx.physicalClusters.update({ ...before, ...object.row, leafGroups });
  else {
    const id = newId("physicalCluster", given);
    await tx.physicalClusters.insert({ id, ...object.row, leafGroups });
  }
}

async function putLeafGroup(tx: WriteTx, clusterName: string, wanted: Mzone): Promise<void> {
  const cluster = await clusterCalled(tx, clusterName);
  const leafGroups = groupsOf(wanted, clusterName);
  if (JSON.stringify(leafGroups) === JSON.stringify(cluster.leafGroups)) return;
  await tx.physicalClusters.update({ ...cluster, leafGroups });
}

function groupsOf(wanted: Mzone, cluster: string): readonly LeafGroup[] {
  return objectsOf(wanted).flatMap((object) => {
    if (object.kind !== "leafGroup" || object.row.cluster !== cluster) return [];
    const { name, rails } = object.row;
    return [{ name, rails }];
  });
}

async function putServer(tx: WriteTx, given: Given, row: DeclaredServer): Promise<void> {
  const { cluster, ...declared } = row;
  const physicalClusterId = (await clusterCalled(tx, cluster)).id;
  const hardware = row.role === "fabric" ? undefined : await tx.hardware.get(row.hardware);
  if (!hardware && !row.role)
    throw bug(`hardware ${row.hardware} is not stored before its servers`);
  const before = await tx.nodes.byName(row.name);
  const id = before?.id ?? newId("node", given);
  if (before) {
    const serial = seenSerial(before);
    const after = { ...before, role: undefined, ...declared, physicalClusterId };
    const kept =
      before.serial === row.serial ? after : { ...after, mismatches: [told(row, serial)] };
    await tx.nodes.update(kept);
  } else await tx.nodes.insert({ ...NEW_NODE, ...declared, id, physicalClusterId });
  if (hardware) await tx.claims.setLimits(id, limitsOf(hardware));
  if (!before || before.hardware !== row.hardware) await tx.outbox.raise(id);
}

/** Keeps the serial that the machine told, until the machine is looked at again. */
function told({ serial }: DeclaredServer, seen: string): Node["mismatches"][number] {
  return { kind: "serial", rail: undefined, expected: serial, seen };
}

const NEW_NODE: Omit<Node, "id" | "physicalClusterId" | Exclude<keyof DeclaredServer, "cluster">> =
  {
    retired: false,
    cordoned: false,
    cordonReason: "",
    publicKey: undefined,
    incarnation: 0,
    session: undefined,
    superseded: [],
    bootId: "",
    agentVersion: "",
    fake: false,
    inventory: undefined,
    mismatches: [],
    pairs: [],
    flags: [],
    generation: 0n,
    acceptedGeneration: 0n,
    appliedGeneration: 0n,
    registeredAt: undefined,
  };

async function judgeAgain(tx: WriteTx, steps: readonly Step[], at: number): Promise<void> {
  const changed = new Set(steps.map(({ object }) => `${object.kind} ${object.key}`));
  const clusters = new Map((await tx.physicalClusters.all()).map((c) => [c.id, c.name]));
  for (const node of await tx.nodes.all()) {
    const group = `${clusters.get(node.physicalClusterId)}/${node.leafGroup}`;
    const concerns = [`server ${node.name}`, `hardware ${node.hardware}`, `leafGroup ${group}`];
    if (!node.inventory || !concerns.some((key) => changed.has(key))) continue;
    await tx.nodes.update(await judgedAnew(tx, node, at));
  }
}

async function findCluster(tx: WriteTx, name: string): Promise<PhysicalCluster | undefined> {
  return (await tx.physicalClusters.all()).find((cluster) => cluster.name === name);
}

async function clusterCalled(tx: WriteTx, name: string): Promise<PhysicalCluster> {
  const cluster = await findCluster(tx, name);
  if (!cluster) throw bug(`physical cluster ${name} is not stored before what is in it`);
  return cluster;
}

async function nodeCalled(tx: WriteTx, name: string): Promise<Node> {
  const node = await tx.nodes.byName(name);
  if (!node) throw bug(`declared server ${name} is not stored`);
  return node;
}
