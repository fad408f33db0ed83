// Every kind of object that can be watched, as its tenant sees it, at the end of the transaction
// that changed it. The wire format stays outside.
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
import { type KeptFrom, providerIps } from "../../domain/reserved-ip.js";
import type { Subnet } from "../../domain/subnet.js";
import type {
  AccountEntry,
  AccountReads,
  ChangeEntry,
  Encode,
  ReadTx,
} from "../../store/contract.js";
import { type AttachmentView, layoutOf } from "../attachment.js";
import { type NetworkView, networkView } from "../cluster-network.js";
import type { ServiceContext } from "../context.js";
import { type HoldView, holdView } from "../hold.js";
import { type InstanceView, instanceView, seenAtEnd } from "../instance.js";
import { type InterfaceView, interfaceView } from "../interface.js";
import { type ReservedIpView, reservedIpView } from "../reserved-ip.js";
import { type TenantReads, tenantReads } from "../tenant.js";
import type { Complete } from "./hub.js";

/** What can be watched, by the name that the change log has for it. */
export const WATCHED_KINDS = [
  "clusterNetwork",
  "subnet",
  "reservedIp",
  "interface",
  "instance",
  "attachment",
  "hold",
] as const;
export type WatchedKind = (typeof WATCHED_KINDS)[number];

export type WatchedObject =
  | { readonly kind: "clusterNetwork"; readonly view: NetworkView }
  | { readonly kind: "subnet"; readonly view: Subnet }
  | { readonly kind: "reservedIp"; readonly view: ReservedIpView }
  | { readonly kind: "interface"; readonly view: InterfaceView }
  | { readonly kind: "instance"; readonly view: InstanceView }
  | { readonly kind: "attachment"; readonly view: AttachmentView }
  | { readonly kind: "hold"; readonly view: HoldView };

type Seen = Pick<ServiceContext, "catalog">;

/** The store's `encode` port: looks at each object once, then `encode` makes its bytes. */
export function objectEncoder(ctx: Seen, encode: (object: WatchedObject) => Uint8Array): Encode {
  return async (tx, entries) => {
    const layouts = new Layouts(tx);
    const accounts = new Map<AccountId, TenantReads>();
    const bytes: (Uint8Array | undefined)[] = [];
    for (const entry of entries) {
      const object = await look({ ctx, tx, layouts, accounts }, entry);
      bytes.push(object && encode(object));
    }
    return bytes;
  };
}

/**
 * The hub's `complete` port: the provider's reserved IPs come after their subnet and go before it.
 * `subnetOf` reads a subnet's public bytes.
 */
export function completer(
  encode: (object: WatchedObject) => Uint8Array,
  subnetOf: (object: Uint8Array) => Omit<KeptFrom, "account">,
): Complete {
  return (entry) => {
    const { account, op, object } = entry;
    if (entry.kind !== "subnet" || op === "updated" || !account || !object) return [entry];
    const kept = providerIps({ ...subnetOf(object), account }).map((reservedIp): AccountEntry => {
      const kind = "reservedIp";
      const bytes = encode({ kind, view: { reservedIp, targetName: undefined } });
      return { kind, id: reservedIp.id, account, op, object: bytes };
    });
    return op === "created" ? [entry, ...kept] : [...kept, entry];
  };
}

interface Sight {
  readonly ctx: Seen;
  readonly tx: ReadTx;
  readonly layouts: Layouts;
  /** Handles of the accounts, each made once. */
  readonly accounts: Map<AccountId, TenantReads>;
}

async function look(sight: Sight, entry: ChangeEntry): Promise<WatchedObject | undefined> {
  if (!entry.account) return undefined;
  const { account } = entry;
  const tx = sight.accounts.get(account) ?? tenantReads(sight.tx, account);
  sight.accounts.set(account, tx);
  const { mine } = tx;
  const kind = WATCHED_KINDS.find((known) => known === entry.kind);
  switch (kind) {
    case "subnet":
      return seen(kind, await mine.subnets.get(entry.id as SubnetId));
    case "attachment":
      return seen(kind, await attachmentOf(mine, sight.layouts, entry.id as AttachmentId));
    case undefined:
      return undefined;
    default:
      return lookWithReferences(sight.ctx, tx, { kind, id: entry.id });
  }
}

interface WithReferences {
  readonly kind: Exclude<WatchedKind, "subnet" | "attachment">;
  readonly id: string;
}

async function lookWithReferences(
  ctx: Seen,
  tx: TenantReads,
  { kind, id }: WithReferences,
): Promise<WatchedObject | undefined> {
  const { mine } = tx;
  switch (kind) {
    case "clusterNetwork": {
      const row = await mine.clusterNetworks.get(id as ClusterNetworkId);
      return seen(kind, row && (await networkView(ctx, tx, row)));
    }
    case "reservedIp": {
      const row = await mine.reservedIps.get(id as ReservedIpId);
      return seen(kind, row && (await reservedIpView(mine, row)));
    }
    case "interface": {
      const row = await mine.interfaces.get(id as InterfaceId);
      return seen(kind, row && (await interfaceView(ctx, tx, row)));
    }
    case "instance": {
      const row = await mine.instances.get(id as InstanceId);
      return seen(kind, row && (seenAtEnd(row) ?? (await instanceView(ctx, tx, row))));
    }
    case "hold": {
      const row = await mine.holds.get(id as HoldId);
      return seen(kind, row && (await holdView(tx, row)));
    }
  }
}

function seen<Kind extends WatchedKind, View>(kind: Kind, view: View | undefined) {
  return view && { kind, view };
}

async function attachmentOf(
  mine: AccountReads,
  layouts: Layouts,
  id: AttachmentId,
): Promise<AttachmentView | undefined> {
  const row = await mine.attachments.get(id);
  const instance = row && (await mine.instances.get(row.instanceId));
  const layout = instance && (await layouts.of(instance));
  return layout?.find(({ attachment }) => attachment.id === id);
}

/** Layouts of instances, each made once: an instance's attachments tend to change together. */
class Layouts {
  private readonly made = new Map<InstanceId, Promise<readonly AttachmentView[]>>();

  constructor(private readonly tx: ReadTx) {}

  of(instance: Parameters<typeof layoutOf>[1]): Promise<readonly AttachmentView[]> {
    const made =
      this.made.get(instance.id) ?? layoutOf(tenantReads(this.tx, instance.account), instance);
    this.made.set(instance.id, made);
    return made;
  }
}
