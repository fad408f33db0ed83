// Holds as operators meet them: on the machines that they keep, and in the way of documents.
import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import {
  BatchCreateInstancesRequest,
  InstanceServiceService,
} from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import {
  CreateHoldRequest,
  PlacementServiceService,
} from "@railyard/proto/gen/railyard/v1/placement";
import { afterEach, expect, test } from "vitest";
import { Customer, instanceRequest } from "./customer.js";
import { exampleMzone, Yard } from "./yard.js";

const NODE = "wdc07-a-r01-s01";
const FAILED_PRECONDITION = 9;

let yard: Yard;
afterEach(() => yard.close());

test("held GPUs show their hold, and no document takes the machine away", async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  const customer = new Customer(await yard.tenant("acme"));
  const { id: clusterNetworkId } = await customer.network();
  const shape = { clusterNetworkId, instanceProfile: "gx3d-152x1536-8h100", count: 1 };
  const request = CreateHoldRequest.fromPartial({ shape, ttl: { seconds: 3_600n } });
  const { hold } = await customer.wire.call(PlacementServiceService.createHold, request);

  const node = await yard.node(NODE);
  expect([node?.instanceCount, node?.inventory?.freeGpuCount]).toEqual([0, 0]);
  const holders = node?.inventory?.gpus.map(({ instanceId, holdId }) => [instanceId, holdId]);
  expect(holders).toEqual(Array(8).fill(["", hold!.id]));

  const without = exampleMzone();
  without.metadata.generation += 1;
  const zone = without.zones.find(({ servers }) => servers.some(({ name }) => name === NODE))!;
  zone.servers = zone.servers.filter(({ name }) => name !== NODE);
  const refused = await yard.operator.refused(MzoneServiceService.applyMzone, {
    source: { $case: "documentJson", value: Buffer.from(JSON.stringify(without)) },
    ...{ requestId: "", validateOnly: true, allowDisruption: false },
  });
  expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "MZONE_OBJECT_IN_USE"]);
  expect(JSON.stringify(refused.details)).toContain(hold!.id);
});

test("a hold outlives the controller, and is used up after it came back", async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  const { wire, secret } = await yard.tenantWithSecret("acme");
  const { id: clusterNetworkId } = await new Customer(wire).network();
  const { id: subnetId } = await new Customer(wire).subnet(clusterNetworkId);
  const shape = { clusterNetworkId, instanceProfile: "gx3d-152x1536-8h100", count: 1 };
  const request = CreateHoldRequest.fromPartial({ shape, ttl: { seconds: 3_600n } });
  const { hold } = await wire.call(PlacementServiceService.createHold, request);

  await yard.controller.stop();
  await yard.startController();
  await yard.ready(NODE);
  const customer = new Customer(yard.wire(yard.controller.ports.tenant, secret));
  const { getHold } = PlacementServiceService;
  expect((await customer.wire.call(getHold, { id: hold!.id })).hold).toEqual(hold);
  const subnetIds = Array<string>(8).fill(subnetId);
  const alone = await customer.instance("alone", subnetIds);
  expect(alone.status).toBe(InstanceStatus.INSTANCE_STATUS_FAILED);
  const { template } = instanceRequest("", subnetIds);
  const gang = { template: template!, count: 1, holdId: hold!.id };
  const { instances } = await customer.wire.call(
    InstanceServiceService.batchCreateInstances,
    BatchCreateInstancesRequest.fromPartial(gang),
  );
  await customer.running(instances[0]!.id);
});
