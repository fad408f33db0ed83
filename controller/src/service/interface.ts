// Use cases of interfaces: create, read, change, delete. Making and taking away is in
// interface-life.ts, shared with instances.
import { bug, refuse } from "@railyard/lib/errors";
import type { ClusterNetworkId, SubnetId } from "@railyard/lib/ids";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import { Faults } from "../domain/faults.js";
import { toUpdating } from "../domain/instance.js";
import type { Interface } from "../domain/interface.js";
import type { MaybeGone } from "../domain/lifecycle.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { Subnet } from "../domain/subnet.js";
import type { AccountReads, InterfaceFilter, ListQuery, Page } from "../store/contract.js";
import { checkEtag, checkMask, lastState, touched } from "./change.js";
import type { Mutation, ServiceContext, TenantCall } from "./context.js";
import { findInterface, findNetwork, type InterfacePath } from "./find.js";
import { dropInterface, makeInterfaces } from "./interface-life.js";
import { InterfacePlanner, type InterfaceWish } from "./interface-plan.js";
import type { Given } from "./mutate.js";
import { checkNewName, hasAny } from "./naming.js";
import { type NamedRef, References } from "./references.js";
import { mutateMine, readMine, type TenantReads, type TenantTx } from "./tenant.js";

const TYPE = RESOURCE_TYPE.interface;
const PATH = "cluster_network_interface";

export interface InterfaceView {
  readonly row: Interface;
  readonly primaryIp: ReservedIp & MaybeGone;
  readonly subnet: Subnet;
  readonly network: ClusterNetwork;
  readonly vpc: NamedRef;
  /** Name of the attachment it is bound to. */
  readonly targetName: string | undefined;
}

export interface CreateInterface {
  readonly clusterNetworkId: ClusterNetworkId;
  readonly subnetId: SubnetId | undefined;
  readonly primaryIp: InterfaceWish["primaryIp"];
  readonly name: string;
  readonly allowIpSpoofing: boolean;
}

/** Creates an unattached interface. Errors: every bad field at once; quota; no address left. */
export function createInterface<A>(
  ctx: ServiceContext,
  call: Mutation<InterfaceView, A>,
  input: CreateInterface,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const network = await findNetwork(mine, input.clusterNetworkId);
    const faults = new Faults();
    const planner = new InterfacePlanner({ mine, faults, network: network.id });
    const plan = await planner.plan({ ...input, autoDelete: false }, "");
    faults.throwIfAny();
    if (!plan) throw bug("a fault was not recorded");
    const [row] = await makeInterfaces(mine, given, [{ plan, targetId: undefined }]);
    if (!row) throw bug("a planned interface was not made");
    return interfaceView(ctx, tx, row);
  });
}

export function getInterface(
  ctx: ServiceContext,
  call: TenantCall,
  path: InterfacePath,
): Promise<InterfaceView> {
  return readMine(ctx, call, async (tx) =>
    interfaceView(ctx, tx, await findInterface(tx.mine, path)),
  );
}

export function listInterfaces(
  ctx: ServiceContext,
  call: TenantCall,
  query: ListQuery<InterfaceFilter>,
): Promise<Page<InterfaceView>> {
  return readMine(ctx, call, async (tx) => {
    const { mine } = tx;
    await findNetwork(mine, query.filter.clusterNetworkId);
    const page = await mine.interfaces.list(query);
    const rows: InterfaceView[] = [];
    for (const row of page.rows) rows.push(await interfaceView(ctx, tx, row));
    return { ...page, rows };
  });
}

export interface UpdateInterface extends InterfacePath {
  readonly etag: string;
  readonly mask: readonly string[];
  readonly name: string;
  readonly autoDelete: boolean;
  readonly allowIpSpoofing: boolean;
}

/** Renames an interface or changes its settings, on its machine too when it is in use. */
export function updateInterface<A>(
  ctx: ServiceContext,
  call: Mutation<InterfaceView, A>,
  input: UpdateInterface,
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const before = await findInterface(mine, input);
    const faults = new Faults();
    checkMask(faults, input.mask, ["name", "auto_delete", "allow_ip_spoofing"]);
    const after = masked(before, input);
    if (after.name !== before.name) {
      const taken = nameTaken(mine, before.clusterNetworkId);
      await checkNewName(faults, { field: `${PATH}.name`, name: after.name, taken });
    }
    if (after.autoDelete && !after.targetId) {
      const description = "must be false while the interface is attached to nothing";
      faults.invalid(`${PATH}.auto_delete`, description, "AUTO_DELETE_UNBOUND");
    }
    faults.throwIfAny();
    checkEtag(before, input.etag, TYPE);
    if (sameSettings(before, after)) return interfaceView(ctx, tx, before);
    const written = touched(after, given.rng);
    await mine.interfaces.update(written);
    if (after.allowIpSpoofing !== before.allowIpSpoofing) await reapply(tx, given, written);
    return interfaceView(ctx, tx, written);
  });
}

/** Deletes an unattached interface; its MAC rests before it is used again. */
export function deleteInterface<A>(
  ctx: ServiceContext,
  call: Mutation<InterfaceView, A>,
  input: InterfacePath & { readonly etag: string },
): Promise<A> {
  return mutateMine(ctx, call, async (tx, given) => {
    const { mine } = tx;
    const row = await findInterface(mine, input);
    checkEtag(row, input.etag, TYPE);
    if (row.targetId) {
      throw refuse("precondition", `an attachment uses ${TYPE} ${row.id}`, {
        reason: "INTERFACE_IN_USE_ATTACHMENT_EXISTS",
        resource: { type: TYPE, id: row.id },
        holders: [{ type: RESOURCE_TYPE.attachment, id: row.targetId }],
      });
    }
    const view = await interfaceView(ctx, tx, row);
    await dropInterface(mine, row, { given, until: given.at + ctx.settings.quarantineMs });
    const primaryIp = { ...view.primaryIp, deleted: view.primaryIp.autoDelete };
    return { ...view, primaryIp, row: lastState(row) };
  });
}

function masked(before: Interface, { mask, ...values }: UpdateInterface): Interface {
  return {
    ...before,
    ...(mask.includes("name") && { name: values.name }),
    ...(mask.includes("auto_delete") && { autoDelete: values.autoDelete }),
    ...(mask.includes("allow_ip_spoofing") && { allowIpSpoofing: values.allowIpSpoofing }),
  };
}

function sameSettings(a: Interface, b: Interface): boolean {
  const { name, autoDelete, allowIpSpoofing } = a;
  return name === b.name && autoDelete === b.autoDelete && allowIpSpoofing === b.allowIpSpoofing;
}

/** The interface's machine has to apply it again, when it is on one. */
async function reapply(tx: TenantTx, given: Given, row: Interface): Promise<void> {
  const { mine } = tx;
  const attachment = row.targetId && (await mine.attachments.get(row.targetId));
  const instance = attachment && (await mine.instances.get(attachment.instanceId));
  if (!attachment || instance?.placement?.phase !== "present") return;
  await tx.outbox.raise(instance.placement.nodeId);
  await mine.attachments.update(touched({ ...attachment, observed: "pending" }, given.rng));
  const updating = toUpdating(instance);
  if (updating !== instance) await mine.instances.update(touched(updating, given.rng));
}

function nameTaken(mine: AccountReads, clusterNetworkId: ClusterNetworkId) {
  return (name: string) => hasAny(mine.interfaces, { clusterNetworkId, name });
}

/** The interface with what its references show. */
export async function interfaceView(
  ctx: Pick<ServiceContext, "catalog">,
  tx: TenantReads,
  row: Interface,
): Promise<InterfaceView> {
  const { mine } = tx;
  const primaryIp = await mine.reservedIps.get(row.primaryIpId);
  const subnet = await mine.subnets.get(row.subnetId);
  const network = await mine.clusterNetworks.get(row.clusterNetworkId);
  if (!primaryIp || !subnet || !network) throw bug("an interface without its parts");
  const vpc = await new References(ctx, tx, row.account).get("vpc", network.vpcId);
  const target = row.targetId && (await mine.attachments.get(row.targetId));
  return { row, primaryIp, subnet, network, vpc, targetName: target?.name };
}
