// What calls of tests can name: one object of every kind that an account can have, made over gRPC
// in that account, and what the example document declares. No agents: nothing ever runs.

import { createBusIdentity } from "@railyard/lib/bus/identity";
import { type AccountId, type ClusterNetworkId, newId } from "@railyard/lib/ids";
import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import { ListNodesRequest, NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import {
  ListPhysicalClustersRequest,
  PhysicalClusterServiceService,
} from "@railyard/proto/gen/railyard/admin/v1/physical_cluster";
import {
  CreateTokenRequest,
  Role,
  TokenServiceService,
} from "@railyard/proto/gen/railyard/admin/v1/token";
import {
  ClusterNetworkSubnetReservedIpServiceService,
  CreateClusterNetworkSubnetReservedIpRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import { Customer, ZONE } from "../customer.js";
import { Wire } from "../wire.js";
import { exampleMzone } from "../yard.js";
import type { OpenGate } from "./gate.js";
import type { Names } from "./requests.js";

const DOCUMENT = JSON.stringify(exampleMzone());
const COUNT = 8;
const HOUR_MS = 3_600_000;

export interface World {
  /** The names of a valid request; what an account has, only in `objects`. */
  readonly names: Names;
  token(role: Role): Promise<string>;
}

/** Declares the example document. */
export async function declare(gate: OpenGate): Promise<void> {
  await asOperator(gate, (wire) =>
    wire.call(MzoneServiceService.applyMzone, {
      source: { $case: "documentJson", value: Buffer.from(DOCUMENT) },
      ...{ requestId: "", validateOnly: false, allowDisruption: false },
    }),
  );
}

/** A fresh account with one object of every kind. */
export async function populate(gate: OpenGate, account: string): Promise<World> {
  const secretOf = (role: Role) => secret(gate, account, role);
  const admin = new Wire(
    `127.0.0.1:${gate.controller.ports.tenant}`,
    await secretOf(Role.ROLE_TENANT_ADMIN),
  );
  try {
    const customer = new Customer(admin);
    const network = await customer.network();
    const subnet = await customer.subnet(network.id);
    const nic = await customer.interface(network.id, subnet.id);
    const { createClusterNetworkSubnetReservedIp } = ClusterNetworkSubnetReservedIpServiceService;
    const { clusterNetworkSubnetReservedIp: ip } = await admin.call(
      createClusterNetworkSubnetReservedIp,
      CreateClusterNetworkSubnetReservedIpRequest.fromPartial({
        ...{ clusterNetworkId: network.id, subnetId: subnet.id },
      }),
    );
    const instance = await customer.instance("one", Array(COUNT).fill(subnet.id));
    const ids = {
      ...{ ClusterNetwork: network.id, ClusterNetworkSubnet: subnet.id, Instance: instance.id },
      ...{ ClusterNetworkInterface: nic.id, ClusterNetworkSubnetReservedIp: ip!.id },
      InstanceClusterNetworkAttachment: instance.clusterNetworkAttachments[0]!.id,
      Hold: await plantHold(gate, account, network.id),
    };
    return { names: await namesOf(gate, account, ids), token: secretOf };
  } finally {
    admin.close();
  }
}

/** A hold for one small instance: no node is alive, so it is given no room. */
function plantHold({ controller }: OpenGate, owner: string, network: string): Promise<string> {
  const { store, clock, rng } = controller.context;
  const at = clock.now();
  const [account, id] = [owner as AccountId, newId("hold", { at, rng })];
  return store.write({ by: "system:test", method: "Test", at }, async (tx) => {
    const { holds, quotas } = tx.account(account);
    await quotas.take("holds", 1);
    await holds.insert({
      ...{ id, account, createdAt: at, etag: "e", lifecycleState: "stable", lifecycleReasons: [] },
      ...{ name: "room", clusterNetworkId: network as ClusterNetworkId, profile: "bx3d-8x40" },
      ...{ count: 1, attachmentCount: 0, maxLeafGroups: 0, segmentSize: 0, spares: 0 },
      ...{ expiresAt: at + HOUR_MS, leafGroupSpans: [1], rails: undefined },
    });
    return id;
  });
}

/** The same names with every object of the account exchanged for `ids`. */
export function withIds(names: Names, ids: Readonly<Record<string, string>>): Names {
  return { fields: { ...names.fields, ...pathFields(ids) }, ids: { ...names.ids, ...ids } };
}

/** The objects of an account among the names. */
export const OBJECTS = [
  ...["ClusterNetwork", "ClusterNetworkSubnet", "ClusterNetworkInterface", "Instance"],
  ...["ClusterNetworkSubnetReservedIp", "InstanceClusterNetworkAttachment", "Hold"],
] as const;

function pathFields(ids: Readonly<Record<string, string>>): Record<string, string> {
  return {
    cluster_network_id: ids.ClusterNetwork ?? "",
    subnet_id: ids.ClusterNetworkSubnet ?? "",
    instance_id: ids.Instance ?? "",
    hold_id: ids.Hold ?? "",
  };
}

async function namesOf(
  gate: OpenGate,
  account: string,
  own: Readonly<Record<string, string>>,
): Promise<Names> {
  const operators = await asOperator(gate, async (wire) => ({
    Node: (await wire.call(NodeServiceService.listNodes, ListNodesRequest.fromPartial({})))
      .nodes[0]!.id,
    PhysicalCluster: (
      await wire.call(
        PhysicalClusterServiceService.listPhysicalClusters,
        ListPhysicalClustersRequest.fromPartial({}),
      )
    ).physicalClusters[0]!.id,
    Token: await tokenId(wire, account),
  }));
  const fields = {
    ...{ profile: "hopper-1", instance_profile: "bx3d-8x40", zone: ZONE, account },
    gpu_profile: "gx3d-160x1792x8h100",
    ...{ vpc_id: "vpc-research", vpc_subnet_id: "vsub-research-3", image_id: "img-ubuntu-24-04" },
    ...{ node_name: "wdc07-a-r01-s01", public_key: createBusIdentity().publicKey },
    ...{ document_json: DOCUMENT, reason: "a reason", count: "1", method: "3", roles: "1" },
    node_id: operators.Node,
    ...{ before_id: "", id: "none-such", physical_cluster: "wdc07-hopper-a" },
    ...pathFields(own),
  };
  return { fields, ids: { ...own, ...operators } };
}

async function tokenId(wire: Wire, account: string): Promise<string> {
  const { token } = await wire.call(
    TokenServiceService.createToken,
    CreateTokenRequest.fromPartial({ account, roles: [Role.ROLE_TENANT_VIEWER] }),
  );
  return token!.id;
}

/** A token with one role, in the account when the role is a tenant's. */
async function secret(gate: OpenGate, account: string, role: Role): Promise<string> {
  const ofTenant = role <= Role.ROLE_TENANT_ADMIN;
  const request = CreateTokenRequest.fromPartial({
    ...{ account: ofTenant ? account : "", roles: [role] },
  });
  const made = (wire: Wire) => wire.call(TokenServiceService.createToken, request);
  return (await asOperator(gate, made)).secret;
}

async function asOperator<T>(gate: OpenGate, work: (wire: Wire) => Promise<T>): Promise<T> {
  const wire = new Wire(`127.0.0.1:${gate.controller.ports.admin}`, gate.operatorToken);
  try {
    return await work(wire);
  } finally {
    wire.close();
  }
}
