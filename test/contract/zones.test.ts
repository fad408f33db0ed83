// What the contract says about zones, and about what other services own: a network is where its
// profile is offered, and an instance is made of what its own zone and VPC have. Only in a yard of
// the suite's own, which has two zones.
import * as nets from "@railyard/proto/gen/railyard/v1/cluster_network";
import * as profiles from "@railyard/proto/gen/railyard/v1/cluster_network_profile";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import type { InstanceTemplate } from "@railyard/proto/gen/railyard/v1/instance_template";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import { exampleMzone, type MzoneDocument } from "../yard.js";
import { OWN_YARD, type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const COUNT = 8;
const OTHER = "us-east-2";
const SMALL = { profile: "bx3d-8x40" };
const { createClusterNetwork } = nets.ClusterNetworkServiceService;
const { createInstance } = calls.InstanceServiceService;

/** The example with a second zone, which has no cluster for networks of H200 machines. */
function twoZones(): MzoneDocument {
  const document = exampleMzone();
  const [first] = document.zones;
  const [hopper] = structuredClone(first!.physicalClusters);
  const physicalClusters = [{ ...hopper!, name: "wdc06-hopper-a" }];
  document.zones.push({ ...first!, name: OTHER, physicalClusters, servers: [] });
  const { vpcSubnets, volumes } = document.catalog;
  const about = { vpc: "vpc-research", zone: OTHER };
  vpcSubnets.push({ id: "vsub-research-2", name: "research-us-east-2", ...about });
  volumes.push({ id: "vol-far", name: "far", zone: OTHER, capacityGiB: 250 } as { id: string });
  return document;
}

describe.runIf(OWN_YARD)("in a yard of two zones", () => {
  let at: Target;
  let tenant: Tenant;
  beforeAll(async () => {
    at = await target({ document: twoZones() });
  });
  beforeEach(async () => {
    tenant = await at.tenant();
  });
  afterAll(() => at.close());

  const refused = (over: Partial<InstanceTemplate>, subnetIds: string[] = []) =>
    tenant.wire.refused(createInstance, instanceRequest("one", subnetIds, over));

  test("a network's zone is one of its profile's, which says which they are", async () => {
    const { listClusterNetworkProfiles } = profiles.ClusterNetworkProfileServiceService;
    const there = profiles.ListClusterNetworkProfilesRequest.fromPartial({ zone: OTHER });
    const offered = await tenant.wire.call(listClusterNetworkProfiles, there);
    const names = offered.clusterNetworkProfiles.map(({ name, zones }) => [
      name,
      [...zones].sort(),
    ]);
    expect(names).toEqual([["hopper-1", [OTHER, "us-east-3"]]]);
    expect((await tenant.network({ zone: OTHER })).zone).toBe(OTHER);
    const request = nets.CreateClusterNetworkRequest.fromPartial({
      ...{ profile: "hopper-1-h200", vpcId: "vpc-research", zone: OTHER },
    });
    const no = await tenant.wire.refused(createClusterNetwork, request);
    expect([no.code, no.reason, no.fields]).toEqual([
      ...[INVALID_ARGUMENT, "CLUSTER_NETWORK_PROFILE_ZONE_UNSUPPORTED", ["zone"]],
    ]);
  });

  test("an instance's attachments are in its own zone", async () => {
    const { id } = await tenant.network({ zone: OTHER });
    const { id: far } = await tenant.subnet(id);
    const no = await refused({}, Array(COUNT).fill(far));
    expect([no.code, no.reason]).toEqual([INVALID_ARGUMENT, "ATTACHMENT_ZONE_MISMATCH"]);
  });

  test("an instance's VPC subnets and volumes are in its own zone", async () => {
    for (const [field, over] of Object.entries({
      "primary_network_attachment.subnet_id": {
        primaryNetworkAttachment: { subnetId: "vsub-research-2", name: "" },
      },
      "network_attachments[0].subnet_id": {
        networkAttachments: [{ subnetId: "vsub-research-2", name: "" }],
      },
      boot_volume_id: { bootVolumeId: "vol-far" },
      "volume_ids[0]": { volumeIds: ["vol-far"] },
    })) {
      const no = await refused({ ...SMALL, ...over });
      expect([no.code, no.reason, no.fields], field).toEqual([
        ...[INVALID_ARGUMENT, "CATALOG_REFERENCE_MISMATCH", [`template.${field}`]],
      ]);
    }
  });

  test("what the catalog does not have is not found, by its field", async () => {
    for (const [field, over] of Object.entries({
      image_id: { imageId: "img-nothing" },
      "key_ids[1]": { keyIds: ["key-ops", "key-nothing"] },
      vpc_id: { vpcId: "vpc-nothing" },
      "primary_network_attachment.subnet_id": {
        primaryNetworkAttachment: { subnetId: "vsub-nothing", name: "" },
      },
      boot_volume_id: { bootVolumeId: "vol-nothing" },
      "volume_ids[0]": { volumeIds: ["vol-nothing"] },
    })) {
      const no = await refused({ ...SMALL, ...over });
      expect([no.code, no.fields], field).toEqual([NOT_FOUND, [`template.${field}`]]);
      expect(no.details.resource?.resourceName).toContain("nothing");
    }
  });
});
