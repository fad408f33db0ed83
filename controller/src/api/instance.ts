// gRPC door of instances: converts requests and hands them to the use cases.
import { parseId } from "@railyard/lib/ids";
import {
  CreateInstanceResponse,
  DeleteInstanceResponse,
  type InstanceServiceServer,
  type ListInstancesRequest,
  ListInstancesResponse,
  RebootInstanceResponse,
  StartInstanceResponse,
  StopInstanceResponse,
  UpdateInstanceResponse,
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
import { createInstance } from "../service/instance-create.js";
import { rebootInstance } from "../service/instance-reboot.js";
import { startInstance } from "../service/instance-start.js";
import { inField } from "./encoded-field.js";
import type { Handlers, Rpc } from "./handler.js";
import { layoutMessage } from "./instance-layout.js";
import { instanceMessage } from "./instance-message.js";
import { hostFailureOf, metadataServiceOf, templateWish } from "./instance-template.js";
import { type PageKey, pageToken, readPage } from "./paging.js";
import { boundOf, filled, wordOf } from "./resource.js";

export function instanceHandlers(ctx: ServiceContext): Handlers<InstanceServiceServer> {
  return {
    createInstance: (request, rpc) => {
      const call = rpc.mutation(request, CreateInstanceResponse, answer);
      return createInstance(ctx, call, { name: request.name, ...templateWish(request.template) });
    },
    getInstance: async (request, rpc) => {
      const [tenant, id] = [rpc.tenant(), idOf(request)];
      const shown = await shownInstance(ctx, tenant, id);
      return shown ? inField(1, [shown]) : answer(await getInstance(ctx, tenant, id));
    },
    listInstances: async (request, rpc) => {
      const filter = filterOf(request);
      const bound = boundOf(filter);
      const query = { filter, ...readPage(rpc, request, bound) };
      const shown = await listShownInstances(ctx, rpc.tenant(), query);
      if (shown) {
        const objects = inField(
          1,
          shown.rows.map(({ object }) => object),
        );
        return Buffer.concat([objects, encodedEnd(rpc, bound, shown)]);
      }
      const page = await listInstances(ctx, rpc.tenant(), query);
      const keys = { ...page, rows: page.rows.map((v) => v.instance) };
      return { instances: page.rows.map(instanceMessage), ...endOf(rpc, bound, keys) };
    },
    updateInstance: (request, rpc) => {
      const { etag, updateMask: mask = [], instance } = request;
      const metadataService = metadataServiceOf(instance?.metadataService);
      const hostFailure = hostFailureOf(instance?.availabilityPolicy);
      const { name = "", profile: { name: profile = "" } = {} } = instance ?? {};
      const values = { name, profile, metadataService, hostFailure };
      const call = rpc.mutation(request, UpdateInstanceResponse, answer);
      return updateInstance(ctx, call, { id: idOf(request), etag, mask, ...values });
    },
    deleteInstance: (request, rpc) => {
      const call = rpc.mutation(request, DeleteInstanceResponse, answer);
      return deleteInstance(ctx, call, { id: idOf(request), etag: request.etag });
    },
    startInstance: (request, rpc) => {
      const call = rpc.mutation(request, StartInstanceResponse, answer);
      return startInstance(ctx, call, { id: idOf(request), etag: request.etag });
    },
    stopInstance: (request, rpc) => {
      const call = rpc.mutation(request, StopInstanceResponse, answer);
      const { etag, force } = request;
      return stopInstance(ctx, call, { id: idOf(request), etag, force });
    },
    rebootInstance: (request, rpc) => {
      const call = rpc.mutation(request, RebootInstanceResponse, answer);
      const { etag, force } = request;
      return rebootInstance(ctx, call, { id: idOf(request), etag, force });
    },
    getInstanceLayout: async (request, rpc) => {
      const id = idOf(request);
      return { layout: layoutMessage(id, await getLayout(ctx, rpc.tenant(), id)) };
    },
  };
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
  return parseId("instance", id, "id");
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
      clusterNetworkId: parseId("clusterNetwork", network, "cluster_network_id"),
    }),
    // A status that only a newer client knows matches nothing.
    ...(status !== 0 && { status: wordOf(InstanceStatus, "INSTANCE_STATUS", status) ?? "" }),
  };
}

function answer(view: InstanceView) {
  return { instance: instanceMessage(view) };
}
