// The physical devices behind attachments, for operators only: one row for each attachment of an
// instance, or of every instance on a node.
import { notFound } from "@railyard/lib/errors";
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import { type Attachment, landings } from "../domain/attachment.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { Instance } from "../domain/instance.js";
import type { Node } from "../domain/node.js";
import type { ReadTx } from "../store/contract.js";
import type { ServiceContext } from "./context.js";

export interface PlacedRow {
  readonly instance: Instance;
  readonly attachment: Attachment;
  readonly node: Node;
  readonly rail: number;
  readonly gpu: { readonly deviceId: string; readonly pciAddress: string };
  readonly nic: { readonly deviceId: string; readonly pfName: string; readonly pciAddress: string };
  readonly vf: number;
  readonly mac: string;
  readonly isolation: ClusterNetwork["isolation"];
}

export type LayoutSubject = { readonly instanceId: InstanceId } | { readonly nodeId: NodeId };

export interface PlacedLayout {
  /** By instance and position; none for an instance that holds no node. */
  readonly rows: readonly PlacedRow[];
  /** What QEMU was given, of each instance that was seen running on its present host. */
  readonly guests: readonly {
    readonly instanceId: InstanceId;
    readonly qemuArguments: readonly string[];
  }[];
}

/** Throws `notFound`. */
export function placedLayout(ctx: ServiceContext, subject: LayoutSubject): Promise<PlacedLayout> {
  return ctx.store.read(async (tx) => {
    const rows: PlacedRow[] = [];
    const guests: PlacedLayout["guests"][number][] = [];
    for (const instance of await subjectsOf(tx, subject)) {
      rows.push(...(await rowsOf(tx, instance)));
      const layout = await tx.everyone.guestLayouts.get(instance.id);
      if (layout) guests.push({ instanceId: instance.id, qemuArguments: layout.qemuArguments });
    }
    return { rows, guests };
  });
}

async function subjectsOf(tx: ReadTx, subject: LayoutSubject): Promise<readonly Instance[]> {
  if ("instanceId" in subject) {
    const instance = await tx.everyone.instances.get(subject.instanceId);
    if (!instance) throw notFound("instance", subject.instanceId);
    return [instance];
  }
  const node = await tx.nodes.get(subject.nodeId);
  if (!node) throw notFound("node", subject.nodeId);
  return tx.instancesOnNode(node.id);
}

async function rowsOf(tx: ReadTx, instance: Instance): Promise<readonly PlacedRow[]> {
  const { placement } = instance;
  const node = placement && (await tx.nodes.get(placement.nodeId));
  const claim = await tx.claims.ofInstance(instance.id);
  if (!placement || !node || !claim) return [];
  const attachments = await tx.everyone.attachments.ofInstance(instance.id);
  const layout = (await tx.profiles.instance(instance.profile))?.attachmentLayout ?? "blocked";
  const shape = { count: attachments.length, pairs: placement.pairs.length, nicSpeedGbps: 0 };
  const lands = landings({ ...shape, layout });
  const out: PlacedRow[] = [];
  for (const attachment of attachments) {
    const pair = placement.pairs[lands[attachment.position]?.pair ?? -1];
    const vf = claim.vfs.find(({ attachmentId }) => attachmentId === attachment.id);
    const network = await tx.everyone.clusterNetworks.get(attachment.clusterNetworkId);
    const iface = await tx.everyone.interfaces.get(attachment.interfaceId);
    if (!pair || !vf || !network || !iface) continue;
    out.push({
      instance,
      attachment,
      node,
      rail: pair.rail,
      gpu: gpuOf(node, pair.gpu),
      nic: nicOf(node, pair.nic),
      vf: vf.vf,
      mac: iface.mac,
      isolation: network.isolation,
    });
  }
  return out;
}

/** Addresses are empty once the device is gone from the inventory. */
function gpuOf({ inventory }: Node, deviceId: string): PlacedRow["gpu"] {
  const gpu = inventory?.gpus.find((g) => g.deviceId === deviceId);
  return { deviceId, pciAddress: gpu?.pciAddress ?? "" };
}

function nicOf({ inventory }: Node, deviceId: string): PlacedRow["nic"] {
  const nic = inventory?.nics.find((n) => n.deviceId === deviceId);
  return { deviceId, pfName: nic?.pfName ?? "", pciAddress: nic?.pciAddress ?? "" };
}
