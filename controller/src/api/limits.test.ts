// Tests of the checks that are compiled from the contract.
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { RailyardError } from "@railyard/lib/errors";
import { NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import { CreateTokenRequest, type Role } from "@railyard/proto/gen/railyard/admin/v1/token";
import {
  CreateClusterNetworkSubnetRequest,
  UpdateClusterNetworkSubnetRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network_subnet";
import { CreateInstanceRequest } from "@railyard/proto/gen/railyard/v1/instance";
import { contractImage } from "@railyard/proto/image";
import { expect, test } from "vitest";
import { Limits, TooManyItems } from "./limits.js";
import { ADMIN_SERVICES, rpcsOf, TENANT_SERVICES } from "./services.js";

const image = contractImage();
const limits = new Limits(image);
const SUBNETS = "railyard.v1.ClusterNetworkSubnetService";
const INSTANCES = "railyard.v1.InstanceService";

/** Field → what is wrong with it. */
function faults(service: string, method: string, request: object): Record<string, string> {
  try {
    limits.ofMethod(service, method)(request);
    return {};
  } catch (err) {
    if (!(err instanceof RailyardError)) throw err;
    expect(err.code).toBe("invalid");
    return Object.fromEntries((err.parts.fields ?? []).map((f) => [f.field, f.description]));
  }
}

function subnet(over: Partial<CreateClusterNetworkSubnetRequest>) {
  const request = CreateClusterNetworkSubnetRequest.fromPartial({ clusterNetworkId: "cn-1" });
  return faults(SUBNETS, "CreateClusterNetworkSubnet", { ...request, ...over });
}

test("a good request passes", () => {
  const range = { $case: "ipv4CidrBlock", value: "10.1.0.0/16" } as const;
  const requestId = "0d0A2f5e-43a6-4f0c-9d7f-0123456789ab";
  expect(subnet({ name: "rail-0", range, rail: 0, requestId })).toEqual({});
});

test("every bad field is named at once", () => {
  const range = { $case: "ipv4CidrBlock", value: "ten/8" } as const;
  const bad = subnet({ clusterNetworkId: "", name: "-x", range, rail: 64, requestId: "1" });
  expect(Object.keys(bad).sort()).toEqual(
    ["cluster_network_id", "ipv4_cidr_block", "name", "rail", "request_id"].sort(),
  );
  expect(bad).toMatchObject({
    cluster_network_id: "must be set",
    rail: "must be at most 63",
    request_id: "must be a UUID",
  });
});

test("a time that is none is refused, even in a field that is ignored", () => {
  const request = UpdateClusterNetworkSubnetRequest.fromPartial({
    ...{ clusterNetworkId: "cn-1", id: "sub-1", updateMask: ["name"] },
    clusterNetworkSubnet: { name: "one", createdAt: new Date(Number.NaN) },
  });
  expect(faults(SUBNETS, "UpdateClusterNetworkSubnet", request)).toEqual({
    "cluster_network_subnet.created_at": "must be a time",
  });
});

test("a number with presence is checked at zero; a member of a oneof only when chosen", () => {
  const range = { $case: "totalIpv4AddressCount", value: 0n } as const;
  expect(subnet({ range })).toEqual({ total_ipv4_address_count: "must be at least 8" });
  expect(subnet({ range: undefined })).toEqual({});
});

test("an empty text is checked when it was chosen among others, and else not set", () => {
  const range = { $case: "ipv4CidrBlock", value: "" } as const;
  expect(Object.keys(subnet({ name: "", range }))).toEqual(["ipv4_cidr_block"]);
});

test("the paths of a field mask have a maximum, too", () => {
  const request = { id: "cns-1", clusterNetworkId: "cn-1", updateMask: ["name", "n".repeat(129)] };
  const wrong = faults(SUBNETS, "UpdateClusterNetworkSubnet", request);
  expect(wrong).toMatchObject({ "update_mask[1]": "must be at most 128 bytes long" });
});

test("length counts bytes of UTF-8", () => {
  expect(subnet({ name: "a".repeat(64) })).toEqual({ name: "must be at most 63 bytes long" });
});

test("paths go through messages and lists, with indexes", () => {
  const request = CreateInstanceRequest.fromPartial({
    template: {
      zone: "us-east-3",
      profile: "gx3d-160x1792x8h100",
      clusterNetworkAttachments: [{ name: "good" }, { name: "UPPER" }, { name: "x".repeat(70) }],
    },
  });
  const bad = faults("railyard.v1.InstanceService", "CreateInstance", request);
  expect(bad["template.cluster_network_attachments[1].name"]).toMatch("a name");
  expect(bad["template.cluster_network_attachments[2].name"]).toMatch("63 bytes");
  expect(bad["template.cluster_network_attachments[0].name"]).toBeUndefined();
});

test("too long a list is named once, and its items are not looked at", () => {
  const request = UpdateClusterNetworkSubnetRequest.fromPartial({
    clusterNetworkId: "cn-1",
    id: "cns-1",
    clusterNetworkSubnet: { name: "ok" },
    updateMask: Array.from({ length: 17 }, () => "\u0000"),
  });
  expect(faults(SUBNETS, "UpdateClusterNetworkSubnet", request)).toEqual({
    update_mask: "must have at most 16 items",
  });
});

test("output-only fields are ignored, as a client sends back what it read", () => {
  const request = UpdateClusterNetworkSubnetRequest.fromPartial({
    clusterNetworkId: "cn-1",
    id: "cns-1",
    clusterNetworkSubnet: { name: "ok", availableIpv4AddressCount: -1n },
    updateMask: ["name"],
  });
  expect(faults(SUBNETS, "UpdateClusterNetworkSubnet", request)).toEqual({});
});

test("durations have bounds in seconds, and unknown enum values are tolerated", () => {
  const request = CreateTokenRequest.fromPartial({ roles: [99 as Role], ttl: { seconds: 59n } });
  expect(faults("railyard.admin.v1.TokenService", "CreateToken", request)).toEqual({
    ttl: "must be at least 60",
  });
});

test("generated requests have a property for every field that is checked", () => {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  let seen = 0;
  for (const rpc of [...TENANT_SERVICES, ...ADMIN_SERVICES].flatMap(rpcsOf)) {
    const { input } = registry.getService(rpc.service)!.methods.find((m) => m.name === rpc.method)!;
    const empty = rpc.definition.requestDeserialize(Buffer.alloc(0));
    for (const field of input.fields) {
      expect(Object.keys(empty), `${rpc.method} ${field.name}`).toContain(
        field.oneof?.localName ?? field.localName,
      );
      seen += 1;
    }
  }
  expect(seen).toBeGreaterThan(100);
});

test("an unknown method is a bug", () => {
  expect(() => limits.ofMethod("railyard.admin.v1.NodeService", "Nope")).toThrow("no method");
  expect(rpcsOf(NodeServiceService).length).toBeGreaterThan(5);
});

test("what is required inside a missing message is named with it", () => {
  const bad = faults(INSTANCES, "CreateInstance", CreateInstanceRequest.fromPartial({}));
  expect(Object.keys(bad)).toEqual([
    "template",
    "template.zone",
    "template.profile",
    "template.image_id",
    "template.primary_network_attachment",
    "template.primary_network_attachment.subnet_id",
  ]);
});

test("a list that is too long is named, and each bad item in it as well", () => {
  const keyIds = ["", ...Array<string>(64).fill("key-1"), "Not An Id"];
  const request = CreateInstanceRequest.fromPartial({ template: { keyIds } });
  const bad = faults(INSTANCES, "CreateInstance", request);
  expect(bad["template.key_ids"]).toMatch(/at most/);
  expect(Object.keys(bad)).toContain("template.key_ids[65]");
});

test("a list with too many items is told apart from other faults", () => {
  const check = limits.ofMethod(SUBNETS, "UpdateClusterNetworkSubnet");
  const thrownBy = (updateMask: string[]) => {
    const over = { id: "", updateMask };
    try {
      check(UpdateClusterNetworkSubnetRequest.fromPartial(over));
    } catch (thrown) {
      return thrown;
    }
    return undefined;
  };
  expect(thrownBy(Array(10_000).fill("name"))).toBeInstanceOf(TooManyItems);
  expect(thrownBy([])).not.toBeInstanceOf(TooManyItems);
  expect(thrownBy([])).toMatchObject({ code: "invalid" });
});
