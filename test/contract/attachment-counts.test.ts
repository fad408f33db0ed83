// What the contract says about how many attachments an instance may have where its profile permits
// a range of counts, or none of its own. Only in a yard of the suite's own, which declares such.
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import * as sizes from "@railyard/proto/gen/railyard/v1/instance_profile";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { instanceRequest } from "../customer.js";
import { exampleMzone, type MzoneDocument } from "../yard.js";
import { A, V } from "./services.js";
import { OWN_YARD, type Target, type Tenant, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const FAILED_PRECONDITION = 9;
const NODE = "wdc07-a-r01-s01";
const WHOLE = "gx3d-152x1536-8h100";
const RANGED = "gx3d-ranged";
const WIDE = "gx3d-wide";
/** As many as one request can ask for. */
const MANY = 64;
const DEPENDENT = "gx3d-dependent";
const RANGE = { min: 8, max: 24, step: 8 };
const FIELD = "template.cluster_network_attachments";
const NOT_PERMITTED = "ATTACHMENT_COUNT_NOT_PERMITTED";
const { getInstanceProfile } = sizes.InstanceProfileServiceService;

/** The example with instance profiles that take a range of counts, and very many. */
function ranged(): MzoneDocument {
  const document = exampleMzone();
  const { clusterNetworks, instances } = document.profiles;
  const whole = instances.find(({ name }) => name === WHOLE);
  clusterNetworks[0]!.instanceProfiles.push(RANGED, WIDE);
  instances.push({ ...whole!, name: RANGED, attachments: { range: RANGE } });
  instances.push({ ...whole!, name: WIDE, attachments: { enum: [MANY] } });
  return document;
}

describe.runIf(OWN_YARD)("the attachments of an instance", () => {
  let at: Target;
  let tenant: Tenant;
  let subnetId: string;
  beforeAll(async () => {
    at = await target({ machines: [NODE], document: ranged() });
    // A document cannot say what a count depends on, so this one is put below the API.
    const cause = { by: "system:test", method: "Test", at: 0 };
    await at.yard!.controller.context.store.write(cause, async ({ profiles }) => {
      const whole = (await profiles.instance(WHOLE))!;
      const attachments = { kind: "dependent" } as const;
      await profiles.putInstance({ ...whole, name: DEPENDENT, attachments });
      const network = (await profiles.clusterNetwork("hopper-1"))!;
      const instanceProfiles = [...network.instanceProfiles, DEPENDENT];
      await profiles.putClusterNetwork({ ...network, instanceProfiles });
    });
  });
  beforeEach(async () => {
    tenant = await at.tenant();
    subnetId = (await tenant.subnet((await tenant.network()).id)).id;
  });
  afterEach(() => at.empty());
  afterAll(() => at.close());

  const creating = (profile: string, count: number) =>
    instanceRequest("one", Array(count).fill(subnetId), { profile });
  const countOf = async (name: string) =>
    (await tenant.wire.call(getInstanceProfile, { name })).instanceProfile
      ?.clusterNetworkAttachmentCount?.type;

  test("are as many as the profile's range permits, and their rails follow the count", async () => {
    expect(await countOf(RANGED)).toEqual({ $case: "range", value: RANGE });
    for (const count of [8, 24]) {
      const { instance } = await tenant.wire.call(V.createInstance, creating(RANGED, count));
      await tenant.running(instance!.id);
      const rows = await tenant.layout(instance!.id);
      const per = count / 8;
      expect(rows.map(({ rail }) => rail)).toEqual(rows.map((_, p) => Math.floor(p / per)));
      expect(rows).toHaveLength(count);
      await tenant.delete(instance!.id);
      await tenant.gone(instance!.id);
    }
  });

  test("are refused at once outside the range and between its steps, counts listed", async () => {
    for (const count of [1, 7, 12, 25, 32]) {
      const refused = await tenant.wire.refused(V.createInstance, creating(RANGED, count));
      expect([refused.code, refused.reason]).toEqual([INVALID_ARGUMENT, NOT_PERMITTED]);
      expect(refused.fields).toEqual([FIELD]);
      expect(refused.message).toMatch(/8.*16.*24/);
    }
  });

  test("may be any number up to the range's end while stopped; a start refuses it", async () => {
    const { instance } = await tenant.wire.call(V.createInstance, creating(RANGED, 16));
    const { id } = instance!;
    await tenant.running(id);
    await tenant.wire.call(V.stopInstance, calls.StopInstanceRequest.fromPartial({ id }));
    await tenant.status(id, InstanceStatus.INSTANCE_STATUS_STOPPED);
    const adding = (count: number) =>
      links.BatchCreateInstanceClusterNetworkAttachmentsRequest.fromPartial({
        instanceId: id,
        attachments: Array.from({ length: count }, () => ({
          interface: { $case: "newInterface" as const, value: { subnetId } },
        })),
      });
    const add = A.batchCreateInstanceClusterNetworkAttachments;
    expect((await tenant.wire.refused(add, adding(9))).reason).toBe(NOT_PERMITTED);
    await tenant.wire.call(add, adding(5));
    const start = calls.StartInstanceRequest.fromPartial({ id });
    const refused = await tenant.wire.refused(V.startInstance, start);
    expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, NOT_PERMITTED]);
    expect(refused.details.info?.metadata.get("permitted")).toBe("0,8,16,24");
    await tenant.wire.call(add, adding(3));
    await tenant.wire.call(V.startInstance, start);
    await tenant.running(id);
  });

  test("are listed to the end in small pages, however many they are", async () => {
    const { instance } = await tenant.wire.call(V.createInstance, creating(WIDE, MANY));
    const positions: (number | undefined)[] = [];
    let pageToken = "";
    do {
      const page = { instanceId: instance!.id, pageSize: 9, pageToken };
      const answer = await tenant.wire.call(A.listInstanceClusterNetworkAttachments, page);
      positions.push(...answer.instanceClusterNetworkAttachments.map(({ position }) => position));
      pageToken = answer.nextPageToken;
    } while (pageToken !== "");
    expect(positions).toEqual(Array.from({ length: MANY }, (_, position) => position));
  });

  test("are none where their count depends on what a profile does not say", async () => {
    expect(await countOf(DEPENDENT)).toEqual({ $case: "dependent", value: {} });
    const refused = await tenant.wire.refused(V.createInstance, creating(DEPENDENT, 8));
    expect([refused.code, refused.fields]).toEqual([INVALID_ARGUMENT, [FIELD]]);
    expect(refused.reason).toBe(NOT_PERMITTED);
    await tenant.running((await tenant.instance("none", [], { profile: DEPENDENT })).id);
  });
});
