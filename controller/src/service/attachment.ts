// Reads an instance's attachments as its tenant may see them: interface, address, subnet, and
// where each position lies, in logical and guest-side terms only.
import { bug } from "@railyard/lib/errors";
import type { InstanceId } from "@railyard/lib/ids";
import {
  type Attachment,
  isLeaving,
  type LogicalPlace,
  logicalPlaces,
} from "../domain/attachment.js";
import type { GuestLayout } from "../domain/guest-layout.js";
import type { Instance } from "../domain/instance.js";
import type { Interface } from "../domain/interface.js";
import type { MaybeGone } from "../domain/lifecycle.js";
import type { ReservedIp } from "../domain/reserved-ip.js";
import type { Subnet } from "../domain/subnet.js";
import type { Page } from "../store/contract.js";
import type { ServiceContext, TenantCall } from "./context.js";
import { type AttachmentPath, findAttachment, findInstance } from "./find.js";
import type { AfterKey, Listing } from "./listing.js";
import { readMine, type TenantReads } from "./tenant.js";

const MARK_CHARS = 8;

export interface AttachmentView {
  readonly attachment: Attachment;
  readonly interface: Interface & MaybeGone;
  readonly primaryIp: ReservedIp & MaybeGone;
  readonly subnet: Subnet;
  /** The attachment that follows; undefined on the last. */
  readonly next: Attachment | undefined;
  /** Undefined while the count of attachments is not a permitted one. */
  readonly place: LogicalPlace | undefined;
}

export function getAttachment(
  ctx: ServiceContext,
  call: TenantCall,
  path: AttachmentPath,
): Promise<AttachmentView> {
  return readMine(ctx, call, async (tx) => {
    const { mine } = tx;
    const { position } = await findAttachment(mine, path);
    const view = (await layoutOf(tx, await findInstance(mine, path.instanceId)))[position];
    if (!view) throw bug("an attachment outside its instance's order");
    return view;
  });
}

/**
 * One page of an instance's attachments, in order of position. Positions shift as others are moved
 * and removed, so a page holds the first that were not seen: `after.seen` counts, not the row.
 */
export function listAttachments(
  ctx: ServiceContext,
  call: TenantCall,
  wish: Listing & { readonly instanceId: InstanceId },
): Promise<Page<AttachmentView>> {
  return readMine(ctx, call, async (tx) => {
    const instance = await findInstance(tx.mine, wish.instanceId);
    const all = await layoutOf(tx, instance);
    const seen = new Set(wish.after?.seen);
    const unseen = all.filter(({ attachment }) => !seen.has(markOf(attachment)));
    const rows = unseen.slice(0, wish.limit);
    return { rows, total: all.length, more: rows.length < unseen.length };
  });
}

/** The page's rows as what to go on after. */
export function attachmentKeys(
  { after }: Listing,
  page: Page<AttachmentView>,
): readonly (AfterKey & Attachment)[] {
  const rows = page.rows.map(({ attachment }) => attachment);
  const seen = [...(after?.seen ?? []), ...rows.map(markOf)];
  return rows.map((row) => ({ seen, ...row }));
}

/** The random end of an id: enough within one instance, and a page token must stay short. */
function markOf({ id }: Attachment): string {
  return id.slice(-MARK_CHARS);
}

export interface LayoutView {
  /** In order of position. */
  readonly attachments: readonly AttachmentView[];
  /** Undefined until it was seen running on its present host. */
  readonly guest: GuestLayout | undefined;
}

/** The instance's whole layout. */
export function getLayout(
  ctx: ServiceContext,
  call: TenantCall,
  id: InstanceId,
): Promise<LayoutView> {
  return readMine(ctx, call, async (tx) => {
    const attachments = await layoutOf(tx, await findInstance(tx.mine, id));
    return { attachments, guest: await tx.mine.guestLayouts.get(id) };
  });
}

/** Every attachment of the instance as its owner sees it, in order of position. */
export async function layoutOf(
  tx: TenantReads,
  instance: Instance,
): Promise<readonly AttachmentView[]> {
  const { mine } = tx;
  const attachments = await mine.attachments.ofInstance(instance.id);
  // Those that leave alone no longer count; with their instance all leave as they were.
  const counted =
    instance.status === "deleting" ? attachments : attachments.filter((a) => !isLeaving(a));
  const places = await placesOf(tx, instance, counted.length);
  const views: AttachmentView[] = [];
  for (const attachment of attachments) {
    const row = await mine.interfaces.get(attachment.interfaceId);
    const primaryIp = row && (await mine.reservedIps.get(row.primaryIpId));
    const subnet = row && (await mine.subnets.get(row.subnetId));
    if (!row || !primaryIp || !subnet) throw bug("an attachment without its interface");
    const { position } = attachment;
    const next = attachments[position + 1];
    const place = places[counted.indexOf(attachment)];
    views.push({ attachment, interface: row, primaryIp, subnet, next, place });
  }
  return views;
}

async function placesOf(
  tx: TenantReads,
  instance: Instance,
  count: number,
): Promise<readonly LogicalPlace[]> {
  const { clusterNetworkId, placement } = instance;
  if (!clusterNetworkId) return [];
  const home = await tx.mine.clusterNetworks.get(clusterNetworkId);
  const network = home && (await tx.profiles.clusterNetwork(home.profile));
  const profile = await tx.profiles.instance(instance.profile);
  if (!network || !profile) return [];
  const rails =
    placement?.pairs.map(({ rail }) => rail) ??
    (await tx.railSets.of(clusterNetworkId, profile.name));
  return logicalPlaces({ count, profile, network, rails });
}
