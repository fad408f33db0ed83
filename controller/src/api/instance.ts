// gRPC door of instances: converts requests and hands them to the use cases.
import { andThen } from "@railyard/lib/soon";
import {
  type BatchCreateInstancesRequest,
  type InstanceServiceServer,
  type ListInstancesRequest,
  ListInstancesResponse,
  PlacedNear,
  StartInstanceResponse,
} from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { getLayout } from "../service/attachment.js";
import type { ServiceContext } from "../service/context.js";
import {
  deleteInstance,
  getInstance,
  type InstanceView,
  listInstances,
  listShownInstances,
  shownInstance,
  stopInstance,
  updateInstance,
} from "../service/instance.js";
import { type BatchCreate, batchCreate } from "../service/instance-batch.js";
import { createInstance } from "../service/instance-create.js";
import { rebootInstance } from "../service/instance-reboot.js";
import { type StartedView, startInstance } from "../service/instance-start.js";
import { inField } from "./encoded-field.js";
import type { Handlers, Rpc } from "./handler.js";
import { idFrom } from "./id.js";
import { layoutMessage } from "./instance-layout.js";
import { instanceBytes, instanceMessage } from "./instance-message.js";
import { hostFailureOf, metadataServiceOf, templateWish } from "./instance-template.js";
import { type PageKey, pageToken, readPage } from "./paging.js";
import { boundOf, filled, wordOf } from "./resource.js";

export function instanceHandlers(ctx: ServiceContext): Handlers<InstanceServiceServer> {
  return {
    createInstance: (request, rpc) => {
      const call = rpc.encodedMutation(request, answer, made);
      return createInstance(ctx, call, { name: request.name, ...templateWish(request.template) });
    },
    batchCreateInstances: (request, rpc) => {
      const call = rpc.encodedMutation(request, answerAll, allMade);
      return batchCreate(ctx, call, batchWish(request));
    },
    getInstance: (request, rpc) => {
      const tenant = rpc.tenant();
      const id = idOf(request);
      return andThen(shownInstance(ctx, tenant, id), (shown) =>
        shown ? inField(1, [shown]) : getInstance(ctx, tenant, id).then(answer),
      );
    },
    listInstances: (request, rpc) => list(ctx, request, rpc),
    updateInstance: (request, rpc) => {
      const { etag, updateMask: mask = [], instance } = request;
      const metadataService = metadataServiceOf(instance?.metadataService);
      const hostFailure = hostFailureOf(instance?.availabilityPolicy);
      const { name = "", profile: { name: profile = "" } = {} } = instance ?? {};
      const values = { name, profile, metadataService, hostFailure };
      const call = rpc.encodedMutation(request, answer, made);
      return updateInstance(ctx, call, { id: idOf(request), etag, mask, ...values });
    },
    deleteInstance: (request, rpc) => {
      const call = rpc.encodedMutation(request, answer, made);
      return deleteInstance(ctx, call, { id: idOf(request), etag: request.etag });
    },
    startInstance: (request, rpc) => {
      const call = rpc.encodedMutation(request, answerStarted, made);
      return startInstance(ctx, call, { id: idOf(request), etag: request.etag });
    },
    stopInstance: (request, rpc) => {
      const call = rpc.encodedMutation(request, answer, made);
      const { etag, force } = request;
      return stopInstance(ctx, call, { id: idOf(request), etag, force });
    },
    rebootInstance: (request, rpc) => {
      const call = rpc.encodedMutation(request, answer, made);
      const { etag, force } = request;
      return rebootInstance(ctx, call, { id: idOf(request), etag, force });
    },
    getInstanceLayout: async (request, rpc) => {
      const id = idOf(request);
      return { layout: layoutMessage(id, await getLayout(ctx, rpc.tenant(), id)) };
    },
  };
}

async function list(ctx: ServiceContext, request: ListInstancesRequest, rpc: Rpc) {
  const filter = filterOf(request);
  const bound = boundOf({ ...filter, orderBy: request.orderBy });
  const query = { filter, ...readPage(rpc, request, bound) };
  const shown = await listShownInstances(ctx, rpc.tenant(), query);
  if (shown) {
    const objects = shown.rows.map(({ object }) => object);
    return inField(1, objects, encodedEnd(rpc, bound, shown));
  }
  const page = await listInstances(ctx, rpc.tenant(), query);
  const keys = { ...page, rows: page.rows.map((v) => v.instance) };
  return { instances: page.rows.map(instanceMessage), ...endOf(rpc, bound, keys) };
}

interface KeysOfPage {
  readonly rows: readonly PageKey[];
  readonly total: number;
  readonly more: boolean;
}

/** What stands in a page beside its rows. */
function endOf(rpc: Rpc, bound: string, page: KeysOfPage) {
  return { nextPageToken: pageToken(rpc, bound, page), totalSize: BigInt(page.total) };
}

function encodedEnd(rpc: Rpc, bound: string, page: KeysOfPage): Uint8Array {
  const end = { instances: [], ...endOf(rpc, bound, page) };
  return ListInstancesResponse.encode(end).finish();
}

function idOf({ id }: { readonly id: string }) {
  return idFrom("instance", id);
}

function filterOf({
  name,
  vpcId,
  profile,
  clusterNetworkId: network,
  status,
}: ListInstancesRequest) {
  return {
    ...filled({ name, vpcId, profile }),
    ...(network !== "" && {
      clusterNetworkId: idFrom("clusterNetwork", network),
    }),
    // A status that only a newer client knows matches nothing.
    ...(status !== 0 && { status: wordOf(InstanceStatus, "INSTANCE_STATUS", status) ?? "" }),
  };
}

function batchWish({ template, holdId, ...rest }: BatchCreateInstancesRequest): BatchCreate {
  const { count, namePrefix, maxLeafGroups, segmentSize } = rest;
  return {
    ...templateWish(template),
    ...{ count, namePrefix, maxLeafGroups, segmentSize },
    holdId: holdId === "" ? undefined : idFrom("hold", holdId),
  };
}

function made({ instance }: InstanceView) {
  return { instance };
}

function allMade(views: readonly InstanceView[]) {
  return { instances: views.map(({ instance }) => instance) };
}

function answerAll(views: readonly InstanceView[]): Uint8Array {
  return inField(1, views.map(instanceBytes));
}

/** What tenants may know of it: nothing of a machine's name or place. */
const NEAR = {
  "previous-host": PlacedNear.PLACED_NEAR_PREVIOUS_HOST,
  "previous-leaf-group": PlacedNear.PLACED_NEAR_NEARBY,
  elsewhere: PlacedNear.PLACED_NEAR_ELSEWHERE,
};

function answerStarted(view: StartedView): Uint8Array {
  const placedNear = view.near ? NEAR[view.near] : PlacedNear.PLACED_NEAR_UNSPECIFIED;
  const rest = StartInstanceResponse.encode({ instance: undefined, placedNear }).finish();
  return inField(1, [instanceBytes(view)], rest);
}

/** Every other answer with one instance has it as its only field, the first. */
function answer(view: InstanceView): Uint8Array {
  return inField(1, [instanceBytes(view)]);
}
