// The independent judge of any plan: what must be true of it, said in its own words and not with
// the rules that made it. Knows nothing of how a plan came about.
import type { Fleet, PlacementRequest, Plan } from "./fleet.js";

/** What is wrong with the plan, one sentence each; empty when nothing is. */
export function check(fleet: Fleet, request: PlacementRequest, plan: Plan): readonly string[] {
  const node = fleet.nodes.find(({ nodeId }) => nodeId === plan.nodeId);
  if (!node) return ["the node is not in the fleet"];
  const wrong: string[] = [];
  const must = (holds: boolean, sentence: string) => void (holds || wrong.push(sentence));

  must(node.zone === request.zone, "the node is in another zone");
  const cluster = request.physicalClusterId;
  must(!cluster || cluster === node.physicalClusterId, "the node is in another physical cluster");
  must(node.eligible && node.leaseFresh, "the node takes no work or is not alive");
  must(node.inventoryMatches, "the node differs from its declaration");
  must(!request.exclude.includes(node.nodeId), "the node was lost to another writer");
  must(plan.pairs.length === request.gpuCount, "the number of pairs is not that of the GPUs");
  if (plan.pairs.length > 0) {
    must(node.gpuModel === request.gpuModel, "the GPUs are of another model");
    must(plan.pairs.length === node.gpuCount, "the pairs are no legal bundle");
  }

  const gpus = new Set(plan.pairs.map(({ gpu }) => gpu));
  const nics = new Set(plan.pairs.map(({ nic }) => nic));
  must(gpus.size === plan.pairs.length, "a GPU is given twice");
  must(nics.size === plan.pairs.length, "a NIC is given twice");
  for (const [i, pair] of plan.pairs.entries()) {
    const real = node.pairs.find(({ gpu, nic }) => gpu === pair.gpu && nic === pair.nic);
    must(real !== undefined, `pair ${i} does not exist on the node`);
    must(real?.free === true, `pair ${i} is taken`);
    must(real?.rail === pair.rail, `pair ${i} is on another rail`);
    must(request.rails === 0 || real?.healthy === true, `pair ${i} is not healthy`);
    must(i === 0 || (plan.pairs[i - 1]?.rail ?? -1) <= pair.rail, `pair ${i} is out of rail order`);
  }
  for (let rail = 0; rail < request.rails; rail++) {
    must(plan.pairs[rail]?.rail === rail, `rail ${rail} is not covered in its place`);
  }

  const perNic = request.attachmentCount / Math.max(plan.pairs.length, 1);
  must(perNic <= (plan.pairs.length > 0 ? node.vfsPerNic : 0), "a NIC has too few VFs");
  must(node.free.vcpu >= request.vcpu, "too few vCPUs are free");
  must(node.free.memoryMib >= request.memoryMib, "too little memory is free");
  must(node.free.diskGib >= request.diskGib, "too little disk is free");
  return wrong;
}
