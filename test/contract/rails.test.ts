// What the contract says about rails: where positions land, and what happens when a subnet declares
// another rail than that. Other alignments than the example's are declared in a yard of its own.
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { LifecycleReasonCode } from "@railyard/proto/gen/railyard/v1/resource";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import { exampleMzone, type MzoneDocument } from "../yard.js";
import { OWN_YARD, type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const GPUS = 8;
const NODE = "wdc07-a-r01-s01";
const HALF = "gx3d-80x896x4h100";
const STRIDED = "gx3d-strided";
const WHOLE = "gx3d-152x1536-8h100";
const { createInstance, stopInstance } = calls.InstanceServiceService;
const {
  listInstanceClusterNetworkAttachments: list,
  moveInstanceClusterNetworkAttachment: move,
  createInstanceClusterNetworkAttachment: add,
} = links.InstanceClusterNetworkAttachmentServiceService;

let at: Target;
let tenant: Tenant;
beforeAll(async () => {
  at = await target({ machines: [NODE], document: aligned() });
});
beforeEach(async () => {
  tenant = await at.tenant();
});
afterEach(() => at.empty());
afterAll(() => at.close());

/** The example, with two more alignments of its network profile and a strided instance profile. */
function aligned(): MzoneDocument {
  const document = exampleMzone();
  const { clusterNetworks, instances } = document.profiles;
  const [hopper] = clusterNetworks;
  const whole = instances.find(({ name }) => name === WHOLE);
  if (!hopper || !whole) throw new Error("the example lacks its profiles");
  hopper.instanceProfiles.push(STRIDED);
  instances.push({ ...whole, name: STRIDED, attachmentLayout: "strided" });
  for (const railAlignment of ["required", "none"]) {
    clusterNetworks.push({ ...hopper, name: `hopper-${railAlignment}`, railAlignment });
  }
  return document;
}

/** A network of the alignment, with a subnet for any rail and one for the rail. */
async function network(alignment: string, rail: number) {
  const profile = alignment === "preferred" ? "hopper-1" : `hopper-${alignment}`;
  const { id } = await tenant.network({ profile });
  const [any, railed] = [await tenant.subnet(id), await tenant.subnet(id, { rail })];
  expect([any.rail, railed.rail]).toEqual([undefined, rail]);
  /** Subnet ids, of which those at the positions are of the rail. */
  const with_ = (count: number, ...positions: number[]) =>
    Array.from({ length: count }, (_, p) => (positions.includes(p) ? railed.id : any.id));
  return { any: any.id, railed: railed.id, with: with_ };
}

async function rows(instanceId: string) {
  const request = links.ListInstanceClusterNetworkAttachmentsRequest.fromPartial({
    ...{ instanceId, pageSize: 100 },
  });
  const { instanceClusterNetworkAttachments: all } = await tenant.wire.call(list, request);
  return all.sort((a, b) => (a.position ?? 0) - (b.position ?? 0));
}

const codes = async (instanceId: string) =>
  (await rows(instanceId)).map(({ lifecycleReasons }) => lifecycleReasons.map(({ code }) => code));
const { LIFECYCLE_REASON_CODE_RAIL_MISMATCH: MISMATCH } = LifecycleReasonCode;
const field = (i: number) => `template.cluster_network_attachments[${i}]`;

test("preferred: another rail than the declared one is accepted with a reason", async () => {
  const subnets = await network("preferred", 2);
  const { id } = await tenant.instance("one", subnets.with(GPUS, 0, 2));
  expect((await rows(id)).map(({ rail }) => rail)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(await codes(id)).toEqual([[MISMATCH], ...Array(GPUS - 1).fill([])]);
});

test.runIf(OWN_YARD)("required: each mismatch is refused and named", async () => {
  const subnets = await network("required", 2);
  const wrong = instanceRequest("one", subnets.with(GPUS, 0, 2, 5));
  const refused = await tenant.wire.refused(createInstance, wrong);
  expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "RAIL_MISMATCH"]);
  expect(refused.fields).toEqual([field(0), field(5)]);
  const { id } = await tenant.instance("one", subnets.with(GPUS, 2));
  await tenant.running(id);
  expect(await codes(id)).toEqual(Array(GPUS).fill([]));
});

test.runIf(OWN_YARD)("required: a move onto another rail is refused", async () => {
  const subnets = await network("required", 2);
  const { id } = await tenant.instance("one", subnets.with(GPUS, 2));
  await tenant.running(id);
  await tenant.wire.call(stopInstance, calls.StopInstanceRequest.fromPartial({ id }));
  await tenant.status(id, InstanceStatus.INSTANCE_STATUS_STOPPED);
  const all = await rows(id);
  const request = links.MoveInstanceClusterNetworkAttachmentRequest.fromPartial({
    ...{ instanceId: id, id: all[2]!.id, beforeId: all[0]!.id },
  });
  const refused = await tenant.wire.refused(move, request);
  expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "RAIL_MISMATCH"]);
  expect(await rows(id)).toEqual(all);
});

test.runIf(OWN_YARD)(
  "required: rails that no part of a node has are refused and named",
  async () => {
    const half = { profile: HALF };
    const subnets = await network("required", 6);
    const wrong = instanceRequest("one", subnets.with(4, 0), half);
    const refused = await tenant.wire.refused(createInstance, wrong);
    expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, "RAIL_MISMATCH"]);
    expect(refused.fields).toEqual([field(0)]);
    const { id } = await tenant.instance("one", subnets.with(4, 2), half);
    await tenant.running(id);
    expect((await rows(id)).map(({ rail }) => rail)).toEqual([4, 5, 6, 7]);
  },
);

test.runIf(OWN_YARD)("none: nothing is said of rails", async () => {
  const subnets = await network("none", 2);
  const { id } = await tenant.instance("one", subnets.with(GPUS, 0, 7));
  expect(await codes(id)).toEqual(Array(GPUS).fill([]));
});

test("a subnet's rail must be one that its network has", async () => {
  const { id } = await tenant.network();
  const refused = await tenant.subnet(id, { rail: GPUS }).catch((err: unknown) => err);
  expect(refused).toMatchObject({ code: INVALID_ARGUMENT, fields: ["rail"] });
});

test("instances of one network that take a part of a node are on the same rails", async () => {
  const subnets = await network("preferred", 0);
  const ids: string[] = [];
  for (const name of ["one", "two"]) {
    ids.push((await tenant.instance(name, subnets.with(4), { profile: HALF })).id);
  }
  const [first, second] = await Promise.all(ids.map(rows));
  const rails = first!.map(({ rail }) => rail);
  expect([rails.length, [...rails].sort()]).toEqual([4, rails]);
  expect(second!.map(({ rail }) => rail)).toEqual(rails);
});

test.runIf(OWN_YARD)(
  "strided: position p is on the pair p mod k, of which each is shared",
  async () => {
    const subnets = await network("preferred", 0);
    const { id } = await tenant.instance("one", subnets.with(2 * GPUS), { profile: STRIDED });
    for (const { position = -1, rail, gpuIndex, nicIndex, speedGbps } of await rows(id)) {
      const pair = position % GPUS;
      expect([rail, gpuIndex, nicIndex, speedGbps]).toEqual([pair, pair, pair, 200]);
    }
  },
);

test("while the count is not a permitted one, rail, indexes and speed are absent", async () => {
  const subnets = await network("preferred", 0);
  const { id } = await tenant.instance("one", subnets.with(GPUS));
  await tenant.wire.call(stopInstance, calls.StopInstanceRequest.fromPartial({ id }));
  await tenant.status(id, InstanceStatus.INSTANCE_STATUS_STOPPED);
  const attachment = { interface: { $case: "newInterface", value: { subnetId: subnets.any } } };
  const request = links.CreateInstanceClusterNetworkAttachmentRequest.fromPartial({
    ...{ instanceId: id, attachment },
  } as object);
  await tenant.wire.call(add, request);
  for (const row of await rows(id)) {
    expect([row.rail, row.gpuIndex, row.nicIndex, row.speedGbps]).toEqual(Array(4).fill(undefined));
    expect(row.position).toBeDefined();
  }
});
