// Faults of made-up machines between wire and use case. No rules, no SQL.
import { invalidField } from "@railyard/lib/errors";
import type { NodeServiceServer } from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  AddFaultResponse,
  RemoveFaultResponse,
  type Fault as WireFault,
  FaultKind as WireKind,
  type FaultSpec as WireSpec,
} from "@railyard/proto/gen/railyard/admin/v1/node_fault";
import type { FaultKind, FaultSpec, NodeFault } from "../domain/node-fault.js";
import type { ServiceContext } from "../service/context.js";
import { addFault, listFaults, removeFault } from "../service/node-fault.js";
import { msOf } from "./duration.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { pageToken, readPage } from "./paging.js";

const WIRE_KINDS: Readonly<Record<FaultKind, WireKind>> = {
  "vf-dropped": WireKind.FAULT_KIND_VF_DROPPED,
  "vf-swapped": WireKind.FAULT_KIND_VF_SWAPPED,
  "link-down": WireKind.FAULT_KIND_LINK_DOWN,
  "link-slow": WireKind.FAULT_KIND_LINK_SLOW,
  "gpu-lost": WireKind.FAULT_KIND_GPU_LOST,
  "apply-fails": WireKind.FAULT_KIND_APPLY_FAILS,
  "apply-hangs": WireKind.FAULT_KIND_APPLY_HANGS,
  "machine-hangs": WireKind.FAULT_KIND_MACHINE_HANGS,
  "machine-reboots": WireKind.FAULT_KIND_MACHINE_REBOOTS,
  "wrong-neighbour": WireKind.FAULT_KIND_WRONG_NEIGHBOUR,
  "guest-crashes": WireKind.FAULT_KIND_GUEST_CRASHES,
};
const KINDS = new Map(Object.entries(WIRE_KINDS).map(([kind, wire]) => [wire, kind as FaultKind]));

type FaultRpcs = Pick<Handlers<NodeServiceServer>, "addFault" | "listFaults" | "removeFault">;

export function nodeFaultHandlers(ctx: ServiceContext): FaultRpcs {
  return {
    addFault(request, rpc) {
      const { ttl } = request;
      const call = rpc.mutation(request, AddFaultResponse, changed);
      return addFault(ctx, call, {
        nodeId: idFrom("node", request.nodeId),
        spec: specFrom(request.spec),
        ttlMs: ttl && msOf(ttl),
      });
    },

    async listFaults(request, rpc) {
      const bound = request.nodeId;
      const filter = bound === "" ? {} : { nodeId: idFrom("node", bound) };
      const page = await listFaults(ctx, { ...readPage(rpc, request, bound), filter });
      const rows = page.rows.map(({ createdAt, id }) => ({ createdAt, name: "", id }));
      return {
        faults: page.rows.map(toWire),
        nextPageToken: pageToken(rpc, bound, { rows, more: page.more }),
        totalSize: BigInt(page.total),
      };
    },

    removeFault(request, rpc) {
      const call = rpc.mutation(request, RemoveFaultResponse, changed);
      const { etag } = request;
      return removeFault(ctx, call, { id: idFrom("fault", request.id), etag });
    },
  };
}

function changed(fault: NodeFault) {
  return { fault: toWire(fault) };
}

function toWire({ id, nodeId, createdAt, expiresAt, etag, spec }: NodeFault): WireFault {
  const { kind, rail, vfIndex, gpuIndex, step, times = 0 } = spec;
  const on = {
    ...(rail !== undefined && { rail }),
    ...(vfIndex !== undefined && { vfIndex }),
    ...(gpuIndex !== undefined && { gpuIndex }),
  };
  return {
    id,
    nodeId,
    createdAt: new Date(createdAt),
    etag,
    spec: { kind: WIRE_KINDS[kind], ...on, step, times },
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
  };
}

function specFrom(wire: WireSpec | undefined): FaultSpec {
  const kind = wire && KINDS.get(wire.kind);
  if (!kind) throw invalidField("spec.kind", "is no fault that this server knows");
  const { rail, vfIndex, gpuIndex, step, times } = wire;
  return {
    kind,
    ...(rail !== undefined && { rail }),
    ...(vfIndex !== undefined && { vfIndex }),
    ...(gpuIndex !== undefined && { gpuIndex }),
    step,
    ...(times > 0 && { times }),
  };
}
