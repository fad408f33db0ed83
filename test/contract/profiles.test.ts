// What the contract says about profiles, of cluster networks and of instances.
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import * as sizes from "@railyard/proto/gen/railyard/v1/instance_profile";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Wire } from "../wire.js";
import { type Target, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const { listClusterNetworkProfiles, getClusterNetworkProfile } =
  nets.ClusterNetworkProfileServiceService;
const { listInstanceProfiles, getInstanceProfile } = sizes.InstanceProfileServiceService;

let at: Target;
let wire: Wire;
beforeAll(async () => {
  at = await target();
  ({ wire } = await at.tenant());
});
afterAll(() => at.close());

async function hopper() {
  const request = { name: "hopper-1" };
  const { clusterNetworkProfile } = await wire.call(getClusterNetworkProfile, request);
  return clusterNetworkProfile!;
}

const listNets = (over: object = {}) =>
  wire.call(listClusterNetworkProfiles, nets.ListClusterNetworkProfilesRequest.fromPartial(over));
const listSizes = (over: object = {}) =>
  wire.call(listInstanceProfiles, sizes.ListInstanceProfilesRequest.fromPartial(over));

test("a cluster network profile says where it is and which instances it takes", async () => {
  const { family, zones, supportedInstanceProfiles } = await hopper();
  expect(family).toBe("hopper");
  expect(zones).toContain("us-east-3");
  const names = supportedInstanceProfiles.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["gx3d-152x1536-8h100", "gx3d-160x1792x8h100"]));
});

test("a cluster network profile's capabilities are machine-readable", async () => {
  expect((await hopper()).capabilities).toMatchObject({
    ...{ fabricKind: nets.FabricKind.FABRIC_KIND_ROCE, rails: 8, speedGbps: 400, mtu: 9000 },
    ...{ rdma: true, subnetRouting: true, isolationKind: nets.IsolationKind.ISOLATION_KIND_VLAN },
    railAlignment: nets.RailAlignment.RAIL_ALIGNMENT_PREFERRED,
  });
});

test("every profile has a name, a time of creation, an etag, a type and a state", async () => {
  const { clusterNetworkProfiles } = await listNets();
  const { instanceProfiles } = await listSizes();
  for (const profile of [...clusterNetworkProfiles, ...instanceProfiles]) {
    expect(profile.name).toMatch(/^[a-z0-9][-a-z0-9]*$/);
    expect(profile.createdAt).toBeInstanceOf(Date);
    expect([profile.etag, profile.resourceType]).not.toContain("");
    expect(profile.lifecycleState).not.toBe(0);
  }
});

test("cluster network profiles are listed by zone", async () => {
  const names = ({ clusterNetworkProfiles }: nets.ListClusterNetworkProfilesResponse) =>
    clusterNetworkProfiles.map(({ name }) => name);
  expect(names(await listNets({ zone: "us-east-3" }))).toContain("hopper-1");
  expect(names(await listNets({ zone: "nowhere-1" }))).toEqual([]);
});

test.each([
  ["gx3d-152x1536-8h100", 152, 1536],
  ["gx3d-160x1792x8h100", 160, 1792],
  ["gx3d-160x1792x8h200", 160, 1792],
])("%s has %i vCPU, %i GiB, eight GPUs and takes 8, 16 or 32 attachments", async (name, ...of) => {
  const { instanceProfile: profile } = await wire.call(getInstanceProfile, { name });
  expect([profile?.vcpu, profile?.memoryGib]).toEqual(of);
  expect(profile?.gpu?.count).toBe(8);
  expect(profile?.clusterNetworkAttachmentCount?.type).toMatchObject({
    $case: "enum",
    value: { values: [8, 16, 32] },
  });
  expect(profile?.attachmentLayout).toBe(sizes.AttachmentLayout.ATTACHMENT_LAYOUT_BLOCKED);
});

test("a profile of half a server has four GPUs and takes 4, 8 or 16 attachments", async () => {
  const { instanceProfile: profile } = await wire.call(getInstanceProfile, {
    name: "gx3d-80x896x4h100",
  });
  expect(profile?.gpu?.count).toBe(4);
  expect(profile?.clusterNetworkAttachmentCount?.type).toMatchObject({
    $case: "enum",
    value: { values: [4, 8, 16] },
  });
});

test("instance profiles are listed by cluster network profile", async () => {
  const { instanceProfiles } = await listSizes({ clusterNetworkProfile: "hopper-1" });
  const names = instanceProfiles.map(({ name }) => name);
  expect(names).toContain("gx3d-152x1536-8h100");
  expect(names).not.toContain("gx3d-160x1792x8h200");
});

test("profiles are read in pages that neither repeat nor miss one", async () => {
  const { instanceProfiles: all, totalSize } = await listSizes();
  expect(totalSize).toBe(BigInt(all.length));
  const names: string[] = [];
  let pageToken = "";
  do {
    const page = await listSizes({ pageSize: 1, pageToken });
    expect(page.instanceProfiles).toHaveLength(1);
    names.push(...page.instanceProfiles.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(names).toEqual(all.map(({ name }) => name));
});

test("a profile that is not there is not found", async () => {
  for (const method of [getClusterNetworkProfile, getInstanceProfile] as const) {
    const refused = await wire.refused(method as typeof getInstanceProfile, { name: "nothing" });
    expect([refused.code, refused.reason]).toEqual([NOT_FOUND, "NOT_FOUND"]);
    expect(refused.details.resource?.resourceName).toBe("nothing");
  }
});

test("a negative page size is refused by field", async () => {
  const request = sizes.ListInstanceProfilesRequest.fromPartial({ pageSize: -1 });
  const refused = await wire.refused(listInstanceProfiles, request);
  expect([refused.code, ...refused.fields]).toEqual([INVALID_ARGUMENT, "page_size"]);
});
