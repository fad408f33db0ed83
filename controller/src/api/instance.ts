// gRPC door of instances: converts requests and hands them to the use cases.
import { parseId } from "@railyard/lib/ids";
import {
  CreateInstanceResponse,
  DeleteInstanceResponse,
  type InstanceServiceServer,
  type ListInstancesRequest,
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
  stopInstance,
  updateInstance,
} from "../service/instance.js";
import { createInstance } from "../service/instance-create.js";
import { rebootInstance } from "../service/instance-reboot.js";
import { startInstance } from "../service/instance-start.js";
import { layoutMessage } from "./attachment.js";
import type { Handlers } from "./handler.js";
import { instanceMessage } from "./instance-message.js";
import { hostFailureOf, metadataServiceOf, templateWish } from "./instance-template.js";
import { pageToken, readPage } from "./paging.js";
import { boundOf, filled, wordOf } from "./resource.js";

export function instanceHandlers(ctx: ServiceContext): Handlers<InstanceServiceServer> {
  return {
    createInstance: (request, rpc) => {
      const call = rpc.mutation(request, CreateInstanceResponse, answer);
      return createInstance(ctx, call, { name: request.name, ...templateWish(request.template) });
    },
    getInstance: async (request, rpc) =>
      answer(await getInstance(ctx, rpc.tenant(), idOf(request))),
    listInstances: async (request, rpc) => {
      const filter = filterOf(request);
      const bound = boundOf(filter);
      const query = { filter, ...readPage(rpc, request, bound) };
      const page = await listInstances(ctx, rpc.tenant(), query);
      return {
        instances: page.rows.map(instanceMessage),
        nextPageToken: pageToken(rpc, bound, { ...page, rows: page.rows.map((v) => v.instance) }),
        totalSize: BigInt(page.total),
      };
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
