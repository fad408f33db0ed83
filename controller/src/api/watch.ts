// gRPC door of watching. A change is put into its message once, around the object's kept bytes, and
// sent as it is to every reader.
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  ResourceKind,
  WatchEvent,
  type WatchObjectsResponse,
  WatchOperation,
  type WatchServiceServer,
} from "@railyard/proto/gen/railyard/v1/watch";
import type { WatchHub } from "../service/watch/hub.js";
import type { WatchedKind } from "../service/watch/objects.js";
import {
  type ObjectChange,
  type WatchMessage,
  type WatchObjects,
  watchObjects,
} from "../service/watch.js";
import type { Handlers } from "./handler.js";
import { enumOf } from "./resource.js";
import { unlessAborted } from "./stream.js";

/** What each kind is called in the contract, and the field of `WatchEvent` that holds it. */
const KINDS: Readonly<
  Record<WatchedKind, { readonly kind: ResourceKind; readonly field: number }>
> = {
  clusterNetwork: { kind: ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK, field: 5 },
  subnet: { kind: ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK_SUBNET, field: 6 },
  reservedIp: { kind: ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK_SUBNET_RESERVED_IP, field: 7 },
  interface: { kind: ResourceKind.RESOURCE_KIND_CLUSTER_NETWORK_INTERFACE, field: 8 },
  instance: { kind: ResourceKind.RESOURCE_KIND_INSTANCE, field: 9 },
  attachment: {
    kind: ResourceKind.RESOURCE_KIND_INSTANCE_CLUSTER_NETWORK_ATTACHMENT,
    field: 10,
  },
  hold: { kind: ResourceKind.RESOURCE_KIND_HOLD, field: 11 },
};

const LENGTH_DELIMITED = 2;
/** Field of `WatchObjectsResponse`. */
const EVENT_FIELD = 1;

export function watchHandlers(hub: WatchHub): Handlers<WatchServiceServer> {
  return {
    watchObjects: async ({ kinds, fromRevision }, rpc, send) => {
      const call = { ...rpc.tenant(), signal: rpc.signal };
      const wish: WatchObjects = { kinds: kindsOf(kinds), from: fromRevision };
      const deliver = (message: WatchMessage, closed: AbortSignal) => {
        const taking = send(bytesOf(message));
        return taking && unlessAborted(closed, taking);
      };
      await watchObjects(hub, call, { wish, deliver });
    },
  };
}

/** Undefined for all. Kinds that only a newer client knows match nothing. */
function kindsOf(kinds: readonly ResourceKind[]): ReadonlySet<WatchedKind> | undefined {
  if (kinds.length === 0) return undefined;
  const names = Object.keys(KINDS) as WatchedKind[];
  return new Set(names.filter((name) => kinds.includes(KINDS[name].kind)));
}

function bytesOf(message: WatchMessage): Uint8Array | WatchObjectsResponse {
  if (message.t === "change") return changeBytes(message.change, message.lastOfRevision);
  return { message: { $case: "bookmark", value: { revision: message.revision } } };
}

interface Encoded {
  last?: Uint8Array;
  notLast?: Uint8Array;
}

const encoded = new WeakMap<ObjectChange, Encoded>();

function changeBytes(change: ObjectChange, lastOfRevision: boolean): Uint8Array {
  const known = encoded.get(change) ?? {};
  encoded.set(change, known);
  const which = lastOfRevision ? "last" : "notLast";
  known[which] ??= encodeChange(change, lastOfRevision);
  return known[which];
}

function encodeChange({ kind, op, revision, object }: ObjectChange, lastOfRevision: boolean) {
  const { kind: resource, field } = KINDS[kind];
  const operation = enumOf(WatchOperation, "WATCH_OPERATION", op);
  const head = WatchEvent.fromPartial({ revision, lastOfRevision, kind: resource, operation });
  const event = WatchEvent.encode(head);
  event.tag(field, LENGTH_DELIMITED).bytes(object);
  return new BinaryWriter().tag(EVENT_FIELD, LENGTH_DELIMITED).bytes(event.finish()).finish();
}
