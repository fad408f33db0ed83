// The independent judge of any plan: what must be true of it, said in its own words and not with
// the rules that made it. Looks at one node only. Knows nothing of how a plan came about.
import type { FleetNode, PlacementRequest, Plan } from "./fleet.js";

/** What is wrong with the plan for this node, one sentence each; empty when nothing is. */
export function check(
  node: FleetNode | undefined,
  request: PlacementRequest,
  plan: Plan,
): readonly string[] {
  if (!node || node.nodeId !== plan.nodeId) return ["the node is not in the fleet"];
  return [
    ...ofNode(node, request),
    ...ofBundle(node, request, plan),
    ...ofPairs(node, request, plan),
  ];
}

type Must = (holds: boolean, sentence: string) => void;

function judged(judge: (must: Must) => void): readonly string[] {
  const wrong: string[] = [];
  judge((holds, sentence) => void (holds || wrong.push(sentence)));
  return wrong;
}

function ofNode(node: FleetNode, request: PlacementRequest): readonly string[] {
  const cluster = request.physicalClusterId;
  return judged((must) => {
    must(node.zone === request.zone, "the node is in another zone");
    must(!cluster || cluster === node.physicalClusterId, "the node is in another physical cluster");
    must(node.eligible && node.leaseFresh, "the node takes no work or is not alive");
    must(node.inventoryMatches, "the node differs from its declaration");
    must(!request.exclude.includes(node.nodeId), "the node was lost to another writer");
    must(request.crowded?.get(node.nodeId) !== 0, "the node's desired state is full");
    must(node.free.vcpu >= request.vcpu, "too few vCPUs are free");
    must(node.free.memoryMib >= request.memoryMib, "too little memory is free");
    must(node.free.diskGib >= request.diskGib, "too little disk is free");
  });
}

function ofBundle(node: FleetNode, request: PlacementRequest, plan: Plan): readonly string[] {
  const { pairs } = plan;
  const modules = pairs
    .map(({ gpu }) => node.pairs.find((real) => real.gpu === gpu)?.module ?? -1)
    .reduce((sum, module) => sum + 2 ** module, 0);
  return judged((must) => {
    must(pairs.length === request.gpuCount, "the number of pairs is not that of the GPUs");
    if (pairs.length > 0) {
      must(node.gpuModel === request.gpuModel, "the GPUs are of another model");
      must(node.legalSets.includes(modules), "the pairs are no legal bundle");
    }
    must(new Set(pairs.map(({ gpu }) => gpu)).size === pairs.length, "a GPU is given twice");
    must(new Set(pairs.map(({ nic }) => nic)).size === pairs.length, "a NIC is given twice");
    const perNic = request.attachmentCount / Math.max(pairs.length, 1);
    must(perNic <= (pairs.length > 0 ? node.vfsPerNic : 0), "a NIC has too few VFs");
  });
}

function ofPairs(node: FleetNode, request: PlacementRequest, plan: Plan): readonly string[] {
  const attached = request.attachmentCount > 0;
  return judged((must) => {
    for (const [i, pair] of plan.pairs.entries()) {
      const real = node.pairs.find(({ gpu, nic }) => gpu === pair.gpu && nic === pair.nic);
      must(real !== undefined, `pair ${i} does not exist on the node`);
      must(real?.free === true, `pair ${i} is taken`);
      must(real?.rail === pair.rail, `pair ${i} is on another rail`);
      must(!attached || real?.healthy === true, `pair ${i} is not healthy`);
      const before = plan.pairs[i - 1]?.rail ?? -1;
      must(before <= pair.rail, `pair ${i} is out of rail order`);
      must(!attached || before < pair.rail, `pair ${i} shares its rail`);
    }
    for (const { pair, rail } of (attached && request.pinned) || []) {
      must(plan.pairs[pair]?.rail === rail, `pair ${pair} is not on rail ${rail}`);
    }
    const { usable } = request;
    for (const { rail } of (attached && usable !== undefined && plan.pairs) || []) {
      must(((usable ?? 0) & (1 << rail)) !== 0, `no attachment can be on rail ${rail}`);
    }
    if (!attached || request.rails === undefined) return;
    const rails = plan.pairs.map(({ rail }) => rail);
    for (let rail = 0; rail < 30; rail++) {
      const wanted = (request.rails & (1 << rail)) !== 0;
      must(
        wanted === rails.includes(rail),
        `rail ${rail} is ${wanted ? "not" : "wrongly"} covered`,
      );
    }
  });
}
