// gRPC door of placement for tenants: capacity checks and holds. Answers say how much and how close
// together, never where.
import {
  CapacityResource,
  type CheckCapacityResponse,
  CreateHoldResponse,
  DeleteHoldResponse,
  type Hold,
  type PlacementServiceServer,
  PlacementShape,
} from "@railyard/proto/gen/railyard/v1/placement";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { type Capacity, checkCapacity } from "../service/capacity.js";
import type { ServiceContext } from "../service/context.js";
import { createHold, deleteHold, getHold, type HoldView, listHolds } from "../service/hold.js";
import type { RoomShape } from "../service/room-shape.js";
import { msOf } from "./duration.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { pageToken, readPage } from "./paging.js";
import { boundOf, enumOf, headOf, profileReference, reference } from "./resource.js";

export function placementHandlers(ctx: ServiceContext): Handlers<PlacementServiceServer> {
  return {
    checkCapacity: async ({ shape }, rpc) =>
      capacityMessage(await checkCapacity(ctx, rpc.tenant(), shapeOf(shape))),
    createHold: (request, rpc) => {
      const call = rpc.mutation(request, CreateHoldResponse, answer);
      const { name, shape, ttl } = request;
      const ttlMs = ttl ? msOf(ttl) : 0;
      return createHold(ctx, call, { name, shape: shapeOf(shape), ttlMs });
    },
    getHold: async (request, rpc) => answer(await getHold(ctx, rpc.tenant(), idOf(request))),
    listHolds: async (request, rpc) => {
      const bound = boundOf({});
      const page = await listHolds(ctx, rpc.tenant(), readPage(rpc, request, bound));
      const rows = page.rows.map(({ hold }) => hold);
      return {
        holds: page.rows.map(holdMessage),
        nextPageToken: pageToken(rpc, bound, { ...page, rows }),
        totalSize: BigInt(page.total),
      };
    },
    deleteHold: (request, rpc) => {
      const call = rpc.mutation(request, DeleteHoldResponse, answer);
      return deleteHold(ctx, call, { id: idOf(request), etag: request.etag });
    },
  };
}

function idOf({ id }: { readonly id: string }) {
  return idFrom("hold", id);
}

/** The shape as use cases take it. */
export function shapeOf(shape = PlacementShape.create()): RoomShape {
  const { instanceProfile: profile, clusterNetworkId, ...numbers } = shape;
  return { ...numbers, profile, clusterNetworkId: idFrom("clusterNetwork", clusterNetworkId) };
}

function answer(view: HoldView): { hold: Hold } {
  return { hold: holdMessage(view) };
}

/** As its tenant sees it: its claims are not part of it. */
export function holdMessage({ hold, network }: HoldView): Hold {
  const { count, attachmentCount, maxLeafGroups, segmentSize, spares } = hold;
  return {
    ...headOf(hold, RESOURCE_TYPE.hold),
    id: hold.id,
    name: hold.name,
    clusterNetwork: reference(RESOURCE_TYPE.clusterNetwork, network),
    instanceProfile: profileReference(RESOURCE_TYPE.instanceProfile, hold.profile),
    ...{ count, attachmentCount, maxLeafGroups, segmentSize, spares },
    expiresAt: new Date(hold.expiresAt),
    leafGroupSpans: [...hold.leafGroupSpans],
  };
}

function capacityMessage(capacity: Capacity): CheckCapacityResponse {
  const { fits, asked: askedCount } = capacity;
  if (capacity.fits) {
    const leafGroupSpans = [...capacity.spans];
    const enough = { fits, askedCount, fitCount: askedCount, waitingCanHelp: false };
    return { ...enough, leafGroupSpans, shortfalls: [] };
  }
  return {
    ...{ fits, askedCount, fitCount: capacity.fit, waitingCanHelp: capacity.waitingCanHelp },
    leafGroupSpans: [],
    shortfalls: capacity.shortfalls.map(({ resource, message }) => ({
      resource: enumOf(CapacityResource, "CAPACITY_RESOURCE", resource),
      message,
    })),
  };
}
