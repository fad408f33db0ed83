// The independent judge of a gang's plan: each member as if it were alone, then what they are
// together. Says so in its own words; knows nothing of how the plan came about.
import type { NodeId } from "@railyard/lib/ids";
import { check } from "./check.js";
import type { FleetNode, Plan } from "./fleet.js";
import type { GangRequest } from "./gang.js";

/** Nodes as they were before the gang came; undefined for one that is not in the fleet. */
export type NodeOf = (id: NodeId) => FleetNode | undefined;

/** What is wrong with the plans, in member order, one sentence each; empty when nothing is. */
export function checkGang(
  nodeOf: NodeOf,
  request: GangRequest,
  plans: readonly Plan[],
): readonly string[] {
  const alone = plans.flatMap((plan, i) =>
    check(nodeOf(plan.nodeId), request.member, plan).map((wrong) => `member ${i}: ${wrong}`),
  );
  if (alone.length > 0) return alone;
  const groups = plans.map(({ nodeId }) => groupOf(nodeOf(nodeId)));
  return [
    ...ofNumber(request, plans, groups),
    ...ofRails(request, plans),
    ...ofSegments(request, groups),
    ...ofSharing(nodeOf, request, plans),
  ];
}

function groupOf(node: FleetNode | undefined): string {
  return `${node?.physicalClusterId} ${node?.leafGroup}`;
}

function ofNumber(
  { count, maxLeafGroups }: GangRequest,
  plans: readonly Plan[],
  groups: readonly string[],
): readonly string[] {
  const wrong = plans.length === count ? [] : [`${plans.length} members instead of ${count}`];
  const used = new Set(groups).size;
  if (maxLeafGroups === undefined || used <= maxLeafGroups) return wrong;
  return [...wrong, `${used} leaf groups, more than ${maxLeafGroups}`];
}

function ofRails({ member }: GangRequest, plans: readonly Plan[]): readonly string[] {
  if (member.attachmentCount === 0) return [];
  const first = railsOf(plans[0]);
  return plans.flatMap((plan, i) =>
    railsOf(plan) === first ? [] : [`member ${i} is on other rails than member 0`],
  );
}

function railsOf(plan: Plan | undefined): string {
  return (plan?.pairs ?? []).map(({ rail }) => rail).join();
}

function ofSegments({ segmentSize }: GangRequest, groups: readonly string[]): readonly string[] {
  if (segmentSize === undefined) return [];
  const wrong: string[] = [];
  for (let from = 0; from < groups.length; from += segmentSize) {
    const within = new Set(groups.slice(from, from + segmentSize));
    if (within.size > 1) wrong.push(`segment ${from / segmentSize} spans ${within.size} groups`);
  }
  return wrong;
}

function ofSharing(
  nodeOf: NodeOf,
  { member }: GangRequest,
  plans: readonly Plan[],
): readonly string[] {
  const wrong: string[] = [];
  for (const id of new Set(plans.map(({ nodeId }) => nodeId))) {
    const here = plans.filter(({ nodeId }) => nodeId === id);
    const pairs = here.flatMap((plan) => plan.pairs);
    for (const kind of ["gpu", "nic"] as const) {
      const names = new Set(pairs.map((pair) => pair[kind]));
      if (names.size < pairs.length) wrong.push(`two members share a ${kind} of ${id}`);
    }
    const room = member.crowded?.get(id) ?? here.length;
    if (here.length > room) wrong.push(`the desired state of ${id} has room for ${room}`);
    for (const amount of ["vcpu", "memoryMib", "diskGib"] as const) {
      const asked = here.length * member[amount];
      if (asked > (nodeOf(id)?.free[amount] ?? 0)) wrong.push(`too little ${amount} on ${id}`);
    }
  }
  return wrong;
}
