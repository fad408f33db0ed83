// What operators ask placement about, put as tenants' own calls would put it: an instance's last
// placement tried again, or a shape that an account might ask for. Reads only.
import { bug, notFound } from "@railyard/lib/errors";
import type { AccountId, InstanceId } from "@railyard/lib/ids";
import { isLeaving } from "../domain/attachment.js";
import type { Faults } from "../domain/faults.js";
import type { Instance } from "../domain/instance.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { type Ask, memberOf, type Room } from "../placement/trial.js";
import type { Claim, ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";
import type { Newcomer } from "./desired.js";
import { fleetViewOf } from "./fleet-view.js";
import { whereTo } from "./mapping.js";
import { requestOf } from "./placing.js";
import { declaredRails } from "./rail-set.js";
import { eachOf, gangOf, type ResolvedShape, type RoomShape, resolveShape } from "./room-shape.js";
import { type FleetReads, tenantReads } from "./tenant.js";

/** Members of a question have no ids. */
const NOBODY = "nobody" as InstanceId;

export interface AccountShape {
  readonly account: AccountId;
  readonly shape: RoomShape;
}

export interface Asked {
  readonly ask: Ask;
  /** What each member brings. */
  readonly each: Newcomer;
  /** Rooms that its own instance has now: it may have them again. */
  readonly own: readonly Room[];
  /** The instance that asks anew; absent for a shape. */
  readonly without?: InstanceId;
}

/** What an account's shape names; undefined only where a fault was added. */
export function findShape(
  tx: ReadTx,
  faults: Faults,
  { account, shape }: AccountShape,
): Promise<ResolvedShape | undefined> {
  return resolveShape(tenantReads(tx, account), faults, shape);
}

/** The shape as the account's capacity check would ask; throws the faults that there are. */
export async function askedShape(
  tx: ReadTx,
  ctx: ServiceContext,
  of: Pick<AccountShape, "account"> & {
    readonly faults: Faults;
    readonly found: ResolvedShape | undefined;
    readonly seed?: string;
  },
): Promise<Asked> {
  const { account, faults, found } = of;
  faults.throwIfAny();
  if (!found) throw bug("a fault was not recorded");
  const mine = tenantReads(tx, account);
  const at = ctx.clock.now();
  const network = await whereTo(mine, ctx, { network: found.network, wanted: found.profile, at });
  const seed = of.seed ?? network.id;
  const shape = { ...found, network };
  const gang = await gangOf(mine, shape, { id: NOBODY, seed });
  return { ask: { kind: "gang", gang }, each: eachOf(shape), own: [] };
}

/** The instance's placement as its next start would ask for it; throws `notFound`. */
export async function askedInstance(
  tx: ReadTx,
  ctx: ServiceContext,
  id: InstanceId,
): Promise<Asked> {
  const instance = await tx.everyone.instances.get(id);
  if (!instance) throw notFound(RESOURCE_TYPE.instance, id);
  const claim = await tx.claims.ofInstance(id);
  const room = claim && (await roomOf(tx, ctx, claim));
  const ask = await askOf(tx, instance);
  const { gpuCount, attachmentCount } = memberOf(ask);
  const each = { instance, gpuCount, attachmentCount };
  return { ask, each, own: room ? [room] : [], without: id };
}

/** The question that placing the instance asks. */
export async function askOf(tx: ReadTx, instance: Instance): Promise<Ask> {
  const mine = tenantReads(tx, instance.account);
  const profile = await mine.profiles.instance(instance.profile);
  if (!profile) throw bug("an instance without its profile");
  const { clusterNetworkId: networkId } = instance;
  const network = networkId && (await mine.mine.clusterNetworks.get(networkId));
  const all = await mine.mine.attachments.ofInstance(instance.id);
  const attachments = all.filter((attachment) => !isLeaving(attachment));
  const wish = { instance, profile, network: network || undefined, attachments };
  const declared = await declaredRails(mine, wish);
  const pinned = declared?.network.railAlignment === "required" ? declared.rails : [];
  const seed = `${instance.id}/${instance.bootCount}`;
  return { kind: "one", request: await requestOf(mine, { ...wish, pinned, seed }, []) };
}

/** What a claim has of its node; undefined when the node is not declared any more. */
export async function roomOf(
  tx: FleetReads,
  ctx: ServiceContext,
  claim: Claim,
): Promise<Room | undefined> {
  const { nodeId, gpus, vfs, vcpu, memoryMib, diskGib } = claim;
  const node = await fleetViewOf(ctx).node(tx, nodeId);
  if (!node) return undefined;
  const taken = new Set([...gpus, ...vfs.map(({ nic }) => nic)]);
  let pairs = 0;
  for (const [p, { gpu, nic }] of node.pairs.entries()) {
    if (taken.has(gpu) || taken.has(nic)) pairs |= 1 << p;
  }
  return { nodeId, pairs, vcpu, memoryMib, diskGib };
}
