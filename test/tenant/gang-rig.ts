// Words for tests of batches, holds and capacity answers over the tenants' rig: wishes, nodes in
// leaf groups, small profiles, and everything that is counted anywhere, to be compared.
import type { Hold } from "@railyard/controller/domain/hold";
import { type CreateHold, createHold } from "@railyard/controller/service/hold";
import { type BatchCreate, batchCreate } from "@railyard/controller/service/instance-batch";
import type { RoomShape } from "@railyard/controller/service/room-shape";
import type { ReadTx, Store, WriteTx } from "@railyard/controller/store/contract";
import { refuse } from "@railyard/lib/errors";
import type { AccountId, ClusterNetworkId, NodeId, SubnetId } from "@railyard/lib/ids";
import { ALICE, addNode, type CallOptions, instanceWish, type Rig, rig, WHOLE } from "./rig.js";

export const PAIR = "gx3d-40x448x2h100";
export const SMALL = "bx3d-8x40";
export const HOUR_MS = 3_600_000;

/** A rig with so many nodes in each leaf group, and with profiles that take a part of a node. */
export async function gangRig(...groups: readonly number[]): Promise<Rig> {
  const made = await rig({ nodes: 0, profile: { instanceProfiles: [WHOLE, PAIR] } });
  await made.write(async (tx) => {
    const hardware = await tx.hardware.get("hgx-h100");
    if (hardware) await tx.hardware.put({ ...hardware, fabricManager: true });
    const whole = await tx.profiles.instance(WHOLE);
    if (!whole?.gpu) throw new Error("no profile");
    const share = {
      vcpu: 40,
      memoryGib: 448,
      attachments: { kind: "enum", values: [2, 4] },
    } as const;
    await tx.profiles.putInstance({
      ...whole,
      ...share,
      name: PAIR,
      gpu: { ...whole.gpu, count: 2 },
    });
    const bare = { vcpu: 8, memoryGib: 40, gpu: undefined, attachments: undefined };
    await tx.profiles.putInstance({ ...whole, ...bare, name: SMALL });
  });
  for (const [group, size] of groups.entries()) {
    for (let i = 0; i < size; i++) await addNodeIn(made, `node-${group}-${i}`, `su${group}`);
  }
  return made;
}

/** One more healthy node, whose modules are numbered as its rails are. */
export async function addNodeIn(made: Rig, id: string, leafGroup: string): Promise<void> {
  await addNode(made, id);
  await changeNode(made, id, { leafGroup });
}

export function changeNode(made: Rig, id: string, change: object): Promise<void> {
  return made.write(async (tx) => {
    const node = await tx.nodes.get(id as NodeId);
    if (node) await tx.nodes.update({ ...node, ...change });
  });
}

/** The same rig on a store where claims from the `first` on, up to `last`, are lost to others. */
export function losing(made: Rig, first: number, last: number): Rig {
  const { store } = made.ctx;
  let claimed = 0;
  const unlucky = (tx: WriteTx): WriteTx => {
    const { claims } = tx;
    const claim: typeof claims.claim = async (wanted) => {
      claimed += 1;
      if (claimed < first || claimed > last) return claims.claim(wanted);
      throw refuse("conflict", "taken", { reason: "LOST_RACE" });
    };
    return { ...tx, claims: Object.assign(Object.create(claims), { claim }) };
  };
  const write: Store["write"] = (cause, fn) => store.write(cause, (tx) => fn(unlucky(tx)));
  const behind = Object.assign(Object.create(store), { write });
  return { ...made, ctx: { ...made.ctx, store: behind } };
}

export function batchWish(
  subnetId: SubnetId,
  count: number,
  { attachments = 8, ...over }: Partial<BatchCreate> & { readonly attachments?: number } = {},
): BatchCreate {
  const { name: _, ...template } = instanceWish(subnetId, { count: attachments });
  const unset = { holdId: undefined, maxLeafGroups: 0, segmentSize: 0 };
  return { ...template, ...unset, count, namePrefix: "", ...over };
}

export async function batch(made: Rig, asked: BatchCreate, over: CallOptions = {}) {
  const views = await batchCreate(made.ctx, made.call(over), asked);
  return views.map((view) => view.instance);
}

export function shape(
  clusterNetworkId: ClusterNetworkId,
  over: Partial<RoomShape> = {},
): RoomShape {
  const open = { attachmentCount: 0, maxLeafGroups: 0, segmentSize: 0, spares: 0 };
  return { clusterNetworkId, profile: WHOLE, count: 1, ...open, ...over };
}

export async function hold(
  made: Rig,
  asked: RoomShape,
  over: CallOptions & Partial<CreateHold> = {},
): Promise<Hold> {
  const { name = "", ttlMs = HOUR_MS, ...call } = over;
  return (await createHold(made.ctx, made.call(call), { name, shape: asked, ttlMs })).hold;
}

/** Everything of the account, and of all machines, that is counted. */
export function counted(made: Rig, account: AccountId = ALICE) {
  return made.ctx.store.read(async (tx) => {
    const mine = tx.account(account);
    const used = (await mine.quotas.counts()).map((count) => `${count.subject} ${count.used}`);
    const { total: instances } = await mine.instances.list({ filter: {}, limit: 1 });
    const holds = await mine.holds.any({});
    const claims = (await tx.claims.all()).filter(({ vcpu }) => vcpu > 0);
    return { used, instances, holds, claims, amounts: await amountsOf(tx) };
  });
}

/** Sums kept beside the nodes' limits; none when nothing is claimed. */
async function amountsOf(tx: ReadTx) {
  const sums: string[] = [];
  for (const { id } of await tx.nodes.all()) {
    const { vcpu, memoryMib, diskGib } = await tx.claims.ofNode(id);
    if (vcpu + memoryMib + diskGib > 0) sums.push(`${id} ${vcpu} ${memoryMib} ${diskGib}`);
  }
  return sums;
}
