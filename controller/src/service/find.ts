// Finds one object of the calling account by its path of ids. What belongs to somebody else, or to
// another parent, is missing: same error, same text.
import { notFound, refuse } from "@railyard/lib/errors";
import type {
  AccountId,
  AttachmentId,
  ClusterNetworkId,
  HoldId,
  InstanceId,
  InterfaceId,
  ReservedIpId,
  SubnetId,
} from "@railyard/lib/ids";
import type { Attachment } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import { type Hold, isOver } from "../domain/hold.js";
import type { Instance } from "../domain/instance.js";
import type { Interface } from "../domain/interface.js";
import type { Principal } from "../domain/lifecycle.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Subnet } from "../domain/subnet.js";
import type { AccountReads } from "../store/contract.js";
import { anyReservedIp } from "./provider-ip.js";

/** Most holders that an in-use refusal names. */
export const HOLDERS_MAX = 100;

/** The account that the caller acts in; throws `forbidden` for callers without one. */
export function accountOf(principal: Principal): AccountId {
  if (principal.account) return principal.account;
  throw refuse("forbidden", "only an account's token may do this");
}

export async function findNetwork(
  mine: AccountReads,
  id: ClusterNetworkId,
): Promise<ClusterNetwork> {
  const found = await mine.clusterNetworks.get(id);
  if (!found) throw notFound(RESOURCE_TYPE.clusterNetwork, id);
  return found;
}

export interface SubnetPath {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly id: SubnetId;
}

export async function findSubnet(mine: AccountReads, path: SubnetPath): Promise<Subnet> {
  await findNetwork(mine, path.clusterNetworkId);
  const found = await mine.subnets.get(path.id);
  if (found?.clusterNetworkId === path.clusterNetworkId) return found;
  throw notFound(RESOURCE_TYPE.subnet, path.id);
}

export interface ReservedIpPath {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly subnetId: SubnetId;
  readonly id: ReservedIpId;
}

export async function findReservedIp(
  mine: AccountReads,
  path: ReservedIpPath,
): Promise<ReservedIp> {
  await findSubnet(mine, { clusterNetworkId: path.clusterNetworkId, id: path.subnetId });
  const found = await anyReservedIp(mine, path.id);
  if (found?.subnetId === path.subnetId) return found;
  throw notFound(RESOURCE_TYPE.reservedIp, path.id);
}

export interface InterfacePath {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly id: InterfaceId;
}

export async function findInterface(mine: AccountReads, path: InterfacePath): Promise<Interface> {
  await findNetwork(mine, path.clusterNetworkId);
  const found = await mine.interfaces.get(path.id);
  if (found?.clusterNetworkId === path.clusterNetworkId) return found;
  throw notFound(RESOURCE_TYPE.interface, path.id);
}

export async function findInstance(mine: AccountReads, id: InstanceId): Promise<Instance> {
  const found = await mine.instances.get(id);
  if (!found) throw notFound(RESOURCE_TYPE.instance, id);
  return found;
}

export interface AttachmentPath {
  readonly instanceId: InstanceId;
  readonly id: AttachmentId;
}

export async function findAttachment(
  mine: AccountReads,
  path: AttachmentPath,
): Promise<Attachment> {
  await findInstance(mine, path.instanceId);
  const found = await mine.attachments.get(path.id);
  if (found?.instanceId === path.instanceId) return found;
  throw notFound(RESOURCE_TYPE.attachment, path.id);
}

/** The hold, while its time is not over at `at`. */
export async function findHold(mine: AccountReads, id: HoldId, at: number): Promise<Hold> {
  const found = await mine.holds.get(id);
  if (found && !isOver(found, at)) return found;
  throw notFound(RESOURCE_TYPE.hold, id);
}
