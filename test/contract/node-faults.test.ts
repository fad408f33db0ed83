// What the contract says of faults of made-up machines. Whatever would disturb a yard that others
// use is only validated.
import { randomUUID } from "node:crypto";
import * as nodes from "@railyard/proto/gen/railyard/admin/v1/node";
import * as faults from "@railyard/proto/gen/railyard/admin/v1/node_fault";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OWN_YARD, type Target, target } from "./target.js";

const NOT_FOUND = 5;
const MACHINE = "wdc07-a-r01-s01";
const FAILED_PRECONDITION = 9;
const { listNodes, addFault, listFaults, removeFault } = nodes.NodeServiceService;
const { FAULT_KIND_LINK_DOWN, FAULT_KIND_MACHINE_HANGS } = faults.FaultKind;

let at: Target;
beforeAll(async () => {
  at = await target({ machines: [MACHINE] });
});
afterAll(() => at.close());

async function nodeWhere(is: (node: nodes.Node) => boolean): Promise<string> {
  const request = nodes.ListNodesRequest.fromPartial({ pageSize: 100 });
  return (await at.admin.call(listNodes, request)).nodes.find(is)!.id;
}

const adding = (nodeId: string, over: object = {}) =>
  faults.AddFaultRequest.fromPartial({
    ...{ nodeId, spec: { kind: FAULT_KIND_LINK_DOWN }, validateOnly: true, ...over },
  });

test("a fault is for a made-up machine that has registered, and for no other", async () => {
  const declared = await nodeWhere((n) => n.state === nodes.NodeState.NODE_STATE_DECLARED);
  const refused = await at.admin.refused(addFault, adding(declared));
  expect([refused.code, refused.reason]).toEqual([FAILED_PRECONDITION, "FAULT_NOT_SUPPORTED"]);
  expect((await at.admin.refused(addFault, adding("node-nothing"))).code).toBe(NOT_FOUND);
});

test("a choice that the kind does not have is refused by name", async () => {
  const spec = { kind: FAULT_KIND_MACHINE_HANGS, rail: 1, gpuIndex: 2 };
  const declared = await nodeWhere(() => true);
  const refused = await at.admin.refused(addFault, adding(declared, { spec }));
  expect([...refused.fields].sort()).toEqual(["spec.gpu_index", "spec.rail"]);
});

test("faults are listed by node; one that is not there cannot be removed", async () => {
  const nodeId = await nodeWhere(() => true);
  const listed = await at.admin.call(listFaults, faults.ListFaultsRequest.fromPartial({ nodeId }));
  expect(listed.faults.every((fault) => fault.nodeId === nodeId)).toBe(true);
  const removing = { id: "flt-nothing", etag: "", validateOnly: true };
  expect((await at.admin.refused(removeFault, removing)).code).toBe(NOT_FOUND);
});

test.runIf(OWN_YARD)("a fault that is added is listed until it is removed", async () => {
  const nodeId = await nodeWhere(({ name }) => name === MACHINE);
  const listed = async () => {
    const request = faults.ListFaultsRequest.fromPartial({ nodeId });
    return (await at.admin.call(listFaults, request)).faults.map(({ id }) => id);
  };
  const spec = { kind: FAULT_KIND_LINK_DOWN, rail: 3 };
  const dry = await at.admin.call(addFault, adding(nodeId, { spec }));
  expect([dry.fault?.nodeId, await listed()]).toEqual([nodeId, []]);
  const asked = adding(nodeId, { spec, validateOnly: false, requestId: randomUUID() });
  const made = await at.admin.call(addFault, asked);
  expect(await at.admin.call(addFault, asked)).toEqual(made);
  const { id = "", etag = "" } = made.fault ?? {};
  expect(await listed()).toEqual([id]);
  await at.admin.call(removeFault, { id, etag, validateOnly: false });
  expect(await listed()).toEqual([]);
});
