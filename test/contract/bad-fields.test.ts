// What the contract says about bad fields: a refusal names all of them, not the first, also where
// one is malformed, another names nothing and a third one has to be somebody else's.
import { createBusIdentity } from "@railyard/lib/bus/identity";
import * as nodes from "@railyard/proto/gen/railyard/admin/v1/node";
import * as admin from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import * as quotas from "@railyard/proto/gen/railyard/admin/v1/quota";
import * as tokens from "@railyard/proto/gen/railyard/admin/v1/token";
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as nics from "@railyard/proto/gen/railyard/v1/cluster_network_interface";
import * as ips from "@railyard/proto/gen/railyard/v1/cluster_network_subnet_reserved_ip";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import { ClusterNetworkAttachmentPrototype } from "@railyard/proto/gen/railyard/v1/instance_template";
import { afterAll, beforeAll, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import type { Method, Wire } from "../wire.js";
import { I, N, R, V } from "./services.js";
import { type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const ALREADY_EXISTS = 6;
const NO_ROLE = 99 as tokens.Role;
const NO_SUBJECT = 99 as quotas.QuotaSubject;
const { QUOTA_SUBJECT_HOLDS: HOLDS } = quotas.QuotaSubject;

let at: Target;
let tenant: Tenant;
let where: { readonly clusterNetworkId: string; readonly subnetId: string };
let used: string;
let kept: string;
let instance: calls.Instance;
beforeAll(async () => {
  at = await target();
  tenant = await at.tenant();
  const { id: clusterNetworkId } = await tenant.network();
  const { id: subnetId } = await tenant.subnet(clusterNetworkId);
  where = { clusterNetworkId, subnetId };
  used = (await tenant.interface(clusterNetworkId, subnetId, "taken")).primaryIp!.id;
  const listing = ips.ListClusterNetworkSubnetReservedIpsRequest.fromPartial(where);
  const rows = await tenant.wire.call(R.listClusterNetworkSubnetReservedIps, listing);
  kept = rows.clusterNetworkSubnetReservedIps.find(({ name }) => name.startsWith("ibm-"))!.id;
  instance = await tenant.instance("one", [], { profile: "gx3d-160x1792x8h200" });
});
afterAll(() => at.close());

async function named<Request>(wire: Wire, method: Method<Request, unknown>, request: Request) {
  const { code, fields } = await wire.refused(method, request);
  return { code, fields };
}

const existing = (value: string) => ({ source: { $case: "reservedIpId" as const, value } });

test("of an interface whose reserved IP may not be had the name is looked at, too", async () => {
  const making = (reservedIp: string, over: object = {}) =>
    nics.CreateClusterNetworkInterfaceRequest.fromPartial({
      ...{ ...where, subnetId: "", name: "taken", primaryIp: existing(reservedIp), ...over },
    });
  const create = (request: nics.CreateClusterNetworkInterfaceRequest) =>
    named(tenant.wire, I.createClusterNetworkInterface, request);
  const both = ["name", "primary_ip.reserved_ip_id"];
  expect(await create(making(used))).toEqual({ code: ALREADY_EXISTS, fields: both });
  expect(await create(making(kept))).toEqual({ code: INVALID_ARGUMENT, fields: both });
  expect((await create(making("cnip-nothing"))).fields).toEqual(both);
  const elsewhere = making(used, { subnetId: "cns-nothing" });
  expect((await create(elsewhere)).fields).toEqual([...both, "subnet_id"]);
});

test("of an attachment that may not be had the network is looked at, too", async () => {
  const { id: other } = await tenant.network();
  const { id: far } = await tenant.subnet(other);
  const { id: bound } = await tenant.interface(other, far);
  const attached = await tenant.instance("two", Array(8).fill(far));
  const first = attached.clusterNetworkAttachments[0]!.id;
  const listing = nics.ListClusterNetworkInterfacesRequest.fromPartial({
    ...{ clusterNetworkId: other, targetId: first },
  });
  const found = await tenant.wire.call(I.listClusterNetworkInterfaces, listing);
  const [taken] = found.clusterNetworkInterfaces;
  const request = instanceRequest("three", Array(6).fill(where.subnetId));
  const at = "template.cluster_network_attachments";
  request.template!.clusterNetworkAttachments.push(
    { name: "", interface: { $case: "interfaceId", value: taken!.id } },
    { name: "", interface: { $case: "interfaceId", value: bound } },
  );
  const { fields } = await named(tenant.wire, V.createInstance, request);
  expect(fields).toEqual([`${at}[6]`, `${at}[6].interface_id`, `${at}[7]`]);
});

test("of a batch everything that only one of its instances could have is named", async () => {
  const primaryIp = {
    source: { $case: "reservedIp" as const, value: { address: "10.0.0.9", name: "one" } },
  };
  const value = { subnetId: where.subnetId, name: "one", primaryIp };
  const request = calls.BatchCreateInstancesRequest.fromPartial({
    ...{ count: 2, template: instanceRequest("", []).template },
  });
  request.template!.clusterNetworkAttachments = [
    ClusterNetworkAttachmentPrototype.fromPartial({ interface: { $case: "newInterface", value } }),
  ];
  const all = "template.cluster_network_attachments";
  expect(await named(tenant.wire, V.batchCreateInstances, request)).toEqual({
    code: INVALID_ARGUMENT,
    fields: [
      ...[all, `${all}[0].new_interface.name`],
      ...["address", "name"].map(
        (part) => `${all}[0].new_interface.primary_ip.reserved_ip.${part}`,
      ),
    ],
  });
});

test("a profile to change to must be named", async () => {
  for (const path of ["profile", "profile.name"]) {
    for (const values of [{}, { profile: {} }]) {
      const request = calls.UpdateInstanceRequest.fromPartial({
        ...{ id: instance.id, instance: values, updateMask: [path, "name"] },
      });
      const refused = await tenant.wire.refused(V.updateInstance, request);
      const fields = ["instance.name", "instance.profile"];
      expect([refused.code, refused.fields]).toEqual([INVALID_ARGUMENT, fields]);
      const said = refused.details.fields.find(({ field }) => field === "instance.profile");
      expect(said?.description).toBe("must be set");
    }
  }
});

test("a mask with an empty path is refused by its place in the mask", async () => {
  const request = nets.UpdateClusterNetworkRequest.fromPartial({
    ...{ id: where.clusterNetworkId, clusterNetwork: {}, updateMask: ["zone", ""] },
  });
  const { code, fields } = await named(tenant.wire, N.updateClusterNetwork, request);
  expect([code, fields]).toEqual([INVALID_ARGUMENT, ["update_mask[1]", "zone"]]);
});

test("a path that cannot change is named at a provider's address, too", async () => {
  const request = ips.UpdateClusterNetworkSubnetReservedIpRequest.fromPartial({
    ...{ ...where, id: kept, clusterNetworkSubnetReservedIp: {}, updateMask: ["address"] },
  });
  const refused = await named(tenant.wire, R.updateClusterNetworkSubnetReservedIp, request);
  expect(refused).toEqual({ code: INVALID_ARGUMENT, fields: ["address"] });
});

test("every role that a token cannot have is named beside the rest", async () => {
  const request = tokens.CreateTokenRequest.fromPartial({
    ...{ roles: [NO_ROLE, tokens.Role.ROLE_TENANT_VIEWER, NO_ROLE], name: "ibm-ci" },
    validateOnly: true,
  });
  const fields = ["account", "name", "roles[0]", "roles[2]"];
  const refused = await named(at.admin, tokens.TokenServiceService.createToken, request);
  expect(refused).toEqual({ code: INVALID_ARGUMENT, fields });
});

test("every quota that cannot be set is named, unknown or named twice", async () => {
  const limits = [NO_SUBJECT, HOLDS, HOLDS, NO_SUBJECT].map((subject) => ({ subject, limit: 1n }));
  const { account } = tenant;
  const request = quotas.SetQuotaRequest.fromPartial({ account, limits, validateOnly: true });
  const fields = ["limits[0].subject", "limits[2].subject", "limits[3].subject"];
  const refused = await named(at.admin, quotas.QuotaServiceService.setQuota, request);
  expect(refused).toEqual({ code: INVALID_ARGUMENT, fields });
});

test("every bad field of a simulation is named, of all its shapes and its nodes", async () => {
  const { account } = tenant;
  const shape = { clusterNetworkId: "cn-nothing", instanceProfile: "nothing", count: 1 };
  const shapes = [1, 2].map(() => ({ account, shape }));
  const withoutNodes = ["nothing", "nobody"];
  const request = admin.SimulatePlacementRequest.fromPartial({ shapes, withoutNodes });
  const { simulatePlacement } = admin.PlacementAdminServiceService;
  expect((await named(at.admin, simulatePlacement, request)).fields).toEqual([
    ...["shapes[0].shape.cluster_network_id", "shapes[0].shape.instance_profile"],
    ...["shapes[1].shape.cluster_network_id", "shapes[1].shape.instance_profile"],
    ...["without_nodes[0]", "without_nodes[1]"],
  ]);
});

test("a join token's name and key are both looked at", async () => {
  const making = (publicKey: string) =>
    nodes.CreateJoinTokenRequest.fromPartial({
      ...{ nodeName: "nothing", publicKey, validateOnly: true },
    });
  const { createJoinToken } = nodes.NodeServiceService;
  const { code, fields } = await named(at.admin, createJoinToken, making("no-key"));
  expect([code, fields]).toEqual([INVALID_ARGUMENT, ["node_name", "public_key"]]);
  const unknown = making(createBusIdentity().publicKey);
  expect((await at.admin.refused(createJoinToken, unknown)).reason).toBe("NODE_NOT_DECLARED");
});
