// What the contract says about where networks and instances come to be, as operators see it: the
// physical cluster with the most room, and a start near the place before. Only in a yard of the
// suite's own.
import * as nodes from "@railyard/proto/gen/railyard/admin/v1/node";
import * as calls from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { afterEach, describe, expect, test } from "vitest";
import { exampleMzone } from "../yard.js";
import { OWN_YARD, type Target, type Tenant, target } from "./target.js";

const COUNT = 8;
const ALONE = "wdc07-a-r02-s01";
const { startInstance, stopInstance } = calls.InstanceServiceService;
const { cordonNode, uncordonNode, getPlacedLayout } = nodes.NodeServiceService;
const { PLACED_NEAR_NEARBY, PLACED_NEAR_ELSEWHERE } = calls.PlacedNear;

describe.runIf(OWN_YARD)("where things come to be", () => {
  let at: Target;
  let tenant: Tenant;
  afterEach(() => at.close());

  async function running(name: string) {
    const { id } = await tenant.network();
    const { id: subnetId } = await tenant.subnet(id);
    const made = await tenant.instance(name, Array(COUNT).fill(subnetId));
    return tenant.running(made.id);
  }

  async function host(value: string): Promise<string> {
    const request = { subject: { $case: "instanceId" as const, value } };
    const { rows } = await at.admin.call(getPlacedLayout, request);
    return rows[0]!.nodeName;
  }

  test("a network is in the compatible cluster with the most free whole machines", async () => {
    const document = exampleMzone();
    const [zone] = document.zones;
    document.profiles.clusterNetworks.splice(1);
    // Both clusters are of the type that the profile wants; the first by name has less room.
    Object.assign(zone!.physicalClusters[1]!, { type: "hopper-roce" });
    for (const server of zone!.servers) Object.assign(server, { hardware: "hgx-h100" });
    const machines = ["wdc07-a-r01-s01", "wdc07-b-r01-s01", "wdc07-b-r01-s02"];
    at = await target({ document, machines });
    tenant = await at.tenant();
    expect(await host((await running("one")).id)).toMatch(/^wdc07-b-/);
  });

  test("a start whose host is not free comes to its leaf group, else elsewhere", async () => {
    at = await target({ machines: ["wdc07-a-r01-s01", "wdc07-a-r01-s02", ALONE] });
    tenant = await at.tenant();
    const groupOf = (name: string) => name.slice(0, "wdc07-a-r01".length);
    const nodeId = async (name: string) => (await at.yard!.node(name))!.id;
    const cordon = async (name: string) => {
      const request = { id: await nodeId(name), reason: "full" };
      await at.admin.call(cordonNode, nodes.CordonNodeRequest.fromPartial(request));
    };
    // Two machines are in one leaf group, where the instance begins; the third is in another.
    await cordon(ALONE);
    const { id } = await running("one");
    const lifting = nodes.UncordonNodeRequest.fromPartial({ id: await nodeId(ALONE) });
    await at.admin.call(uncordonNode, lifting);
    const again = async () => {
      await tenant.wire.call(stopInstance, calls.StopInstanceRequest.fromPartial({ id }));
      await tenant.status(id, InstanceStatus.INSTANCE_STATUS_STOPPED);
      const request = calls.StartInstanceRequest.fromPartial({ id });
      const { placedNear } = await tenant.wire.call(startInstance, request);
      await tenant.running(id);
      return placedNear;
    };
    const first = await host(id);
    await cordon(first);
    expect(await again()).toBe(PLACED_NEAR_NEARBY);
    expect(await host(id)).not.toBe(first);
    expect(groupOf(await host(id))).toBe(groupOf(first));
    await cordon(await host(id));
    expect(await again()).toBe(PLACED_NEAR_ELSEWHERE);
  });
});
