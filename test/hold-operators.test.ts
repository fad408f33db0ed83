// Holds as operators meet them: on the machines that they keep, and in the way of documents.
import { MzoneServiceService } from "@railyard/proto/gen/railyard/admin/v1/mzone";
import {
  CreateHoldRequest,
  PlacementServiceService,
} from "@railyard/proto/gen/railyard/v1/placement";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
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
