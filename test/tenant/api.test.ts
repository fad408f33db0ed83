// The gRPC doors of the tenants' nouns, called as the server calls them: defaults, enum words,
// references, pages, and that no physical name leaves in any answer.
import { attachmentHandlers } from "@railyard/controller/api/attachment";
import { clusterNetworkHandlers } from "@railyard/controller/api/cluster-network";
import type { Rpc } from "@railyard/controller/api/handler";
import { instanceHandlers } from "@railyard/controller/api/instance";
import { interfaceHandlers } from "@railyard/controller/api/interface";
import { pageSigner } from "@railyard/controller/api/paging";
import {
  clusterNetworkProfileHandlers,
  instanceProfileHandlers,
} from "@railyard/controller/api/profile";
import { reservedIpHandlers } from "@railyard/controller/api/reserved-ip";
import { subnetHandlers } from "@railyard/controller/api/subnet";
import {
  CreateClusterNetworkRequest,
  ListClusterNetworksRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as interfaces from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import {
  FabricKind,
  ListClusterNetworkProfilesRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import * as subnets from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import {
  CreateInstanceRequest,
  CreateInstanceResponse,
  ListInstancesRequest,
  ListInstancesResponse,
} from "@railyard/proto/gen/railyard/v1/instance";
import {
  AttachmentObserved,
  ListInstanceClusterNetworkAttachmentsRequest,
} from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { ListInstanceProfilesRequest } from "@railyard/proto/gen/railyard/v1/instance_profile";
import {
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import { LifecycleState } from "@railyard/proto/gen/railyard/v1/resource";
import { expect, test } from "vitest";
import { H200, type Rig, refusal, rig, WHOLE, ZONE } from "./rig.js";

const signPage = pageSigner(new Uint8Array(32));

function rpcOf(made: Rig): Rpc {
  const { principal } = made.read();
  const signal = new AbortController().signal;
  return {
    ...{ principal, method: "Test", signal, signPage },
    tenant: () => made.read(),
    mutation: (request, response, answer) => ({
      ...{ principal, method: "Test", requestHash: "", requestId: undefined },
      validateOnly: request.validateOnly ?? false,
      answer,
      encode: (message) => response.encode(message).finish(),
      decode: (bytes) => response.decode(bytes),
    }),
    encodedMutation: (request, answer) => ({
      ...{ principal, method: "Test", requestHash: "", requestId: undefined },
      ...{ validateOnly: request.validateOnly ?? false, answer },
      encode: (bytes) => bytes,
      decode: (bytes) => bytes,
    }),
  };
}

/** Calls a handler and keeps every answer as text. */
function caller(made: Rig) {
  const rpc = rpcOf(made);
  const heard: string[] = [];
  const call = async <Q, A>(
    handler: ((q: Q, rpc: Rpc) => A | Uint8Array | Promise<A | Uint8Array>) | undefined,
    request: Q,
    decode?: (bytes: Uint8Array) => A,
  ): Promise<A> => {
    if (!handler) throw new Error("not built");
    const said = await handler(request, rpc);
    if (said instanceof Uint8Array && !decode) throw new Error("an answer that is encoded");
    const answer = said instanceof Uint8Array && decode ? decode(said) : (said as A);
    const plain = (_: string, v: unknown) => (typeof v === "bigint" ? String(v) : v);
    heard.push(JSON.stringify(answer, plain));
    return answer;
  };
  return { call, heard };
}

async function world(made: Rig, count: number) {
  const { ctx } = made;
  const { call, heard } = caller(made);
  const request = { profile: "hopper-1", vpcId: "vpc-1", zone: ZONE, resourceGroupId: "rg-1" };
  const { clusterNetwork } = await call(
    clusterNetworkHandlers(ctx).createClusterNetwork,
    CreateClusterNetworkRequest.fromPartial(request),
  );
  const clusterNetworkId = clusterNetwork?.id ?? "";
  const range = { $case: "totalIpv4AddressCount", value: 64n } as const;
  const { clusterNetworkSubnet: subnet } = await call(
    subnetHandlers(ctx).createClusterNetworkSubnet,
    subnets.CreateClusterNetworkSubnetRequest.fromPartial({ clusterNetworkId, range }),
    (bytes) => subnets.CreateClusterNetworkSubnetResponse.decode(bytes),
  );
  const subnetId = subnet?.id ?? "";
  const bound = { $case: "newInterface", value: { subnetId } } as const;
  const template = {
    ...{ zone: ZONE, profile: WHOLE, imageId: "img-1", keyIds: ["key-1"] },
    primaryNetworkAttachment: { subnetId: "vsub-1" },
    clusterNetworkAttachments: Array.from({ length: count }, () => ({ interface: bound })),
  };
  const create = () =>
    call(
      instanceHandlers(ctx).createInstance,
      CreateInstanceRequest.fromPartial({ template }),
      (bytes) => CreateInstanceResponse.decode(bytes),
    );
  return { call, heard, clusterNetwork, subnet, clusterNetworkId, subnetId, create };
}

async function expectPages(
  { ctx }: Rig,
  { call, instanceId }: Pick<ReturnType<typeof caller>, "call"> & { readonly instanceId: string },
): Promise<void> {
  const page = await call(
    attachmentHandlers(ctx).listInstanceClusterNetworkAttachments,
    ListInstanceClusterNetworkAttachmentsRequest.fromPartial({ instanceId, pageSize: 10 }),
  );
  expect(page.totalSize).toBe(16n);
  const rest = await call(
    attachmentHandlers(ctx).listInstanceClusterNetworkAttachments,
    ListInstanceClusterNetworkAttachmentsRequest.fromPartial({
      instanceId,
      pageSize: 10,
      pageToken: page.nextPageToken,
    }),
  );
  expect(rest.nextPageToken).toBe("");
  expect(rest.instanceClusterNetworkAttachments.map((a) => [a.position, a.rail])).toEqual([
    ...[10, 11].map((p) => [p, 5]),
    ...[12, 13].map((p) => [p, 6]),
    ...[14, 15].map((p) => [p, 7]),
  ]);
}

test("answers carry references and logical places, and no physical name", async () => {
  const made = await rig();
  const { ctx } = made;
  const { call, heard, clusterNetwork, subnet, clusterNetworkId, subnetId, create } = await world(
    made,
    16,
  );
  expect(clusterNetwork).toMatchObject({
    crn: `crn:v1:railyard:public:is:${ZONE}:a/acc-alice::cluster-network:${clusterNetworkId}`,
    lifecycleState: LifecycleState.LIFECYCLE_STATE_STABLE,
    resourceGroup: { id: "rg-1", resourceType: "resource_group" },
    vpc: { id: "vpc-1", name: "vpc-one", resourceType: "vpc", deleted: false },
  });
  expect(subnet).toMatchObject({ ipv4CidrBlock: "10.0.0.0/26", availableIpv4AddressCount: 59n });
  const answer = await create();
  const { instance } = answer;
  // What a repeated request id gets is these bytes, decoded and encoded once more.
  const bytes = CreateInstanceResponse.encode(answer).finish();
  const again = CreateInstanceResponse.encode(CreateInstanceResponse.decode(bytes)).finish();
  expect(Buffer.from(again).equals(bytes)).toBe(true);
  expect(instance).toMatchObject({
    status: InstanceStatus.INSTANCE_STATUS_STARTING,
    gpu: { count: 8, model: "H100", memoryGibTotal: 640 },
    metadataService: { enabled: false, hopLimit: 1 },
  });
  expect(instance?.clusterNetworkAttachments).toHaveLength(16);
  expect(JSON.stringify(instance)).not.toContain("userData");
  const instanceId = instance?.id ?? "";
  await expectPages(made, { call, instanceId });
  const { layout } = await call(instanceHandlers(ctx).getInstanceLayout, { id: instanceId });
  expect(layout?.rows[15]).toMatchObject({
    ...{ position: 15, rail: 7, gpuIndex: 7, nicIndex: 7, speedGbps: 200, address: "10.0.0.19" },
    observed: AttachmentObserved.ATTACHMENT_OBSERVED_PENDING,
  });
  const failed = (await create()).instance;
  expect(failed?.statusReasons[0]?.code).toBe(
    InstanceStatusReasonCode.INSTANCE_STATUS_REASON_CODE_CANNOT_START_CAPACITY,
  );
  await call(
    interfaceHandlers(ctx).listClusterNetworkInterfaces,
    interfaces.ListClusterNetworkInterfacesRequest.fromPartial({ clusterNetworkId }),
  );
  await call(
    reservedIpHandlers(ctx).listClusterNetworkSubnetReservedIps,
    ips.ListClusterNetworkSubnetReservedIpsRequest.fromPartial({ clusterNetworkId, subnetId }),
  );
  expect(heard.join("\n")).not.toMatch(/secret|gpu-\d|nic-\d|node-\d/);
});

test("profiles show what is permitted and where", async () => {
  const made = await rig();
  const { call, heard } = caller(made);
  const handlers = clusterNetworkProfileHandlers(made.ctx);
  const list = (zone: string) =>
    call(
      handlers.listClusterNetworkProfiles,
      ListClusterNetworkProfilesRequest.fromPartial({ zone }),
    );
  const { clusterNetworkProfiles: here } = await list(ZONE);
  expect(here).toMatchObject([
    {
      zones: [ZONE],
      capabilities: { fabricKind: FabricKind.FABRIC_KIND_ROCE, rails: 8, rdma: true },
      supportedInstanceProfiles: [{ name: WHOLE }],
    },
  ]);
  expect(here[0]?.etag).toMatch(/^[0-9a-f]{16}$/);
  expect(here[0]?.createdAt).toEqual(new Date(Date.UTC(2026, 0, 1)));
  expect((await list("us-east-1")).totalSize).toBe(0n);
  const { instanceProfiles } = await call(
    instanceProfileHandlers(made.ctx).listInstanceProfiles,
    ListInstanceProfilesRequest.fromPartial({ clusterNetworkProfile: "hopper-1" }),
  );
  expect(instanceProfiles.map((p) => [p.name, p.clusterNetworkAttachmentCount?.type])).toEqual([
    [WHOLE, { $case: "enum", value: { values: [8, 16, 32], default: 8 } }],
  ]);
  expect(heard.join("\n")).not.toMatch(/secret|hopper-roce/);
});

test("instances are listed by status; an unknown one matches none", async () => {
  const made = await rig();
  const { call, create } = await world(made, 8);
  await create();
  const handlers = instanceHandlers(made.ctx);
  const decode = (bytes: Uint8Array) => ListInstancesResponse.decode(bytes);
  const count = async (status: number) =>
    (await call(handlers.listInstances, ListInstancesRequest.fromPartial({ status }), decode))
      .totalSize;
  const { INSTANCE_STATUS_STARTING: starting, INSTANCE_STATUS_FAILED: failed } = InstanceStatus;
  expect([await count(0), await count(starting), await count(failed)]).toEqual([1n, 1n, 0n]);
  expect(await count(99)).toBe(0n);
});

test("a page of profiles goes on where the one before ended, newest first", async () => {
  const made = await rig();
  const { call } = caller(made);
  await made.write(async (tx) => {
    const base = await tx.profiles.instance(WHOLE);
    if (!base) return;
    await tx.profiles.putInstance({ ...base, name: "a-newer", createdAt: base.createdAt + 1 });
    await tx.profiles.putInstance({ ...base, name: "z-newest", createdAt: base.createdAt + 2 });
  });
  const names: string[] = [];
  let pageToken = "";
  do {
    const request = ListInstanceProfilesRequest.fromPartial({ pageSize: 1, pageToken });
    const page = await call(instanceProfileHandlers(made.ctx).listInstanceProfiles, request);
    names.push(...page.instanceProfiles.map(({ name }) => name));
    expect(page.totalSize).toBe(4n);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(names).toEqual(["z-newest", "a-newer", WHOLE, H200]);
});

test("a list goes on where its token says, and the token fits no other filter", async () => {
  const made = await rig();
  const { call } = caller(made);
  const handlers = clusterNetworkHandlers(made.ctx);
  for (const name of ["a", "b", "c"]) {
    const request = { profile: "hopper-1", vpcId: "vpc-1", zone: ZONE, name };
    const message = CreateClusterNetworkRequest.fromPartial(request);
    await call(handlers.createClusterNetwork, message);
  }
  const list = (part: Partial<ListClusterNetworksRequest>) =>
    call(handlers.listClusterNetworks, ListClusterNetworksRequest.fromPartial(part));
  const order = { orderBy: "name desc", pageSize: 2 };
  const first = await list(order);
  expect(first.clusterNetworks.map(({ name }) => name)).toEqual(["c", "b"]);
  const second = await list({ ...order, pageToken: first.nextPageToken });
  expect(second.clusterNetworks.map(({ name }) => name)).toEqual(["a"]);
  expect(second.totalSize).toBe(3n);
  const other = list({ ...order, vpcId: "vpc-1", pageToken: first.nextPageToken });
  expect((await refusal(other)).reason).toBe("PAGE_TOKEN_INVALID");
});
