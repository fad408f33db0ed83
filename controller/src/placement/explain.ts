// Why something fits or not: the very answer that placing gives, and beside it how many nodes each
// hard rule removed, which each preference favoured, and which came closest. Pure; looks at every
// node, so it is for people, never for a placement.
import type { NodeId } from "@railyard/lib/ids";
import { sizeOf } from "../domain/bundle.js";
import { groupKey, type NodeFacts } from "./facts.js";
import { type PlacementRequest, RULES, type Rule } from "./fleet.js";
import type { FleetIndex } from "./fleet-index.js";
import type { LeafGroup } from "./leaf-group.js";
import { broken, fitting, leastBroken, score } from "./preferences.js";
import { failedRules } from "./rules.js";
import { type Ask, memberOf, type Trial, tryAsk } from "./trial.js";

/** Most nodes named for one rule or preference. */
export const EXAMPLES_MAX = 8;
/** Most rejected nodes that are named with their scores. */
export const REJECTED_MAX = 8;

/** Soft preferences by name. */
export const PREFERENCES = [
  "previousHost",
  "previousLeafGroup",
  "fewestLeafGroups",
  "wholeNodesWhole",
  "startedLeafGroups",
] as const;
export type Preference = (typeof PREFERENCES)[number];

export interface Count<Name> {
  readonly name: Name;
  readonly count: number;
  /** The first by id. */
  readonly examples: readonly NodeId[];
}

/** A node that would have been chosen among, but for these rules. */
export interface Rejected {
  readonly nodeId: NodeId;
  readonly leafGroup: string;
  /** All that it fails, in the order in which they are tried. */
  readonly rules: readonly Rule[];
  /** What it would score without those rules, as nodes that fit are compared; lower is better. */
  readonly score: number;
}

export interface Explanation {
  /** What placing answers. */
  readonly trial: Trial;
  readonly considered: number;
  /** How many nodes can take one instance. */
  readonly fitting: number;
  /** A node counts under the first rule that it fails; in the order of RULES. */
  readonly removed: readonly Count<Rule>[];
  /** Of the nodes that fit, those that each preference favours. */
  readonly preferred: readonly Count<Preference>[];
  /** Those that fail the fewest rules, the best first. */
  readonly rejected: readonly Rejected[];
}

/** Places it, changing nothing, and says why it came out like that. */
export function explain(fleet: FleetIndex, ask: Ask): Explanation {
  const trial = tryAsk(fleet, ask);
  const member = memberOf(ask);
  const removed = new Tally<Rule>();
  const closest = new Closest();
  const favoured = new Favoured(member, groupsUsed(trial));
  let fits = 0;
  for (const node of fleet.nodes()) {
    const failed = failedRules(node, member);
    const first = RULES[31 - Math.clz32(failed & -failed)];
    if (failed === 0 || !first) {
      fits += 1;
      favoured.look(node);
      continue;
    }
    removed.add(first, node.nodeId);
    closest.look(node, member, failed);
  }
  return {
    ...{ trial, considered: fleet.size, fitting: fits },
    removed: removed.counts(RULES),
    preferred: favoured.counts(),
    rejected: closest.best(),
  };
}

/** A node of hardware that takes one, in the leaf group with most whole nodes free; by id. */
export function likeliest(fleet: FleetIndex, member: PlacementRequest): NodeId | undefined {
  let best: { readonly id: NodeId; readonly room: number } | undefined;
  for (const node of fleet.nodes()) {
    if ((failedRules(node, member) & ELSEWHERE) !== 0) continue;
    if (node.make.gpuCount !== sizeOf(node.make.pairs)) continue;
    const { nodeId, group } = node;
    const order = best ? group.wholeFree - best.room || (nodeId < best.id ? 1 : -1) : 1;
    if (order > 0) best = { id: nodeId, room: group.wholeFree };
  }
  return best?.id;
}

function groupsUsed(trial: Trial): ReadonlySet<string> {
  if (!trial.fits) return new Set();
  return new Set(trial.members.map(({ leafGroup }) => groupKey(leafGroup)));
}

/** Counts by name, with the first few by id. */
class Tally<Name extends string> {
  private readonly found = new Map<Name, { count: number; examples: NodeId[] }>();

  add(name: Name, id: NodeId): void {
    const entry = this.found.get(name) ?? { count: 0, examples: [] };
    if (entry.count === 0) this.found.set(name, entry);
    entry.count += 1;
    const { examples } = entry;
    const last = examples[EXAMPLES_MAX - 1];
    if (last !== undefined && last < id) return;
    examples.push(id);
    examples.sort();
    examples.splice(EXAMPLES_MAX);
  }

  reset(name: Name): void {
    this.found.delete(name);
  }

  counts(order: readonly Name[]): readonly Count<Name>[] {
    return order.flatMap((name) => {
      const entry = this.found.get(name);
      return entry ? [{ name, ...entry }] : [];
    });
  }
}

type Node = NodeFacts & { readonly group: LeafGroup };

class Favoured {
  private readonly tally = new Tally<Preference>();
  private least = Number.POSITIVE_INFINITY;

  constructor(
    private readonly request: PlacementRequest,
    private readonly used: ReadonlySet<string>,
  ) {}

  look(node: Node): void {
    const { previousNodeId, previousLeafGroup: was } = this.request;
    const { nodeId, group, physicalClusterId } = node;
    const near = physicalClusterId === was?.physicalClusterId && group.leafGroup === was.leafGroup;
    if (nodeId === previousNodeId) this.tally.add("previousHost", nodeId);
    if (near) this.tally.add("previousLeafGroup", nodeId);
    const isUsed = this.used.has(groupKey(group));
    if (isUsed) this.tally.add("fewestLeafGroups", nodeId);
    if (group.started > 0) this.tally.add("startedLeafGroups", nodeId);
    const block = fitting(node, this.request)?.broken ?? 0;
    if (block > this.least) return;
    if (block < this.least) this.tally.reset("wholeNodesWhole");
    this.least = block;
    this.tally.add("wholeNodesWhole", nodeId);
  }

  counts(): readonly Count<Preference>[] {
    return this.tally.counts(PREFERENCES);
  }
}

/** Nodes that fail one of these are no candidates at all. */
const ELSEWHERE = bitsOf(["zone", "physicalCluster", "profileFits"]);
/** What fails one of these fails the last anyhow: together they count as one. */
const ON_PAIRS = bitsOf(["railsHealthy", "railSet", "bundleFree"]);

function bitsOf(rules: readonly Rule[]): number {
  return rules.reduce((mask, rule) => mask | (1 << RULES.indexOf(rule)), 0);
}

interface Close extends Rejected {
  readonly failures: number;
}

class Closest {
  private readonly kept: Close[] = [];

  look(node: Node, request: PlacementRequest, failed: number): void {
    if ((failed & ELSEWHERE) !== 0) return;
    const failures = sizeOf(failed & ~ON_PAIRS) + ((failed & ON_PAIRS) === 0 ? 0 : 1);
    const worst = this.kept.length === REJECTED_MAX ? this.kept[REJECTED_MAX - 1] : undefined;
    if (worst && failures > worst.failures) return;
    const found = score(blockOf(node, request), node.group);
    const { nodeId } = node;
    if (worst && compare({ failures, score: found, nodeId }, worst) >= 0) return;
    const rules = RULES.filter((_, r) => (failed & (1 << r)) !== 0);
    this.kept.push({ nodeId, leafGroup: node.group.leafGroup, rules, score: found, failures });
    this.kept.sort(compare);
    this.kept.splice(REJECTED_MAX);
  }

  best(): readonly Rejected[] {
    return this.kept.map(({ failures: _, ...rejected }) => rejected);
  }
}

function compare(a: Pick<Close, "failures" | "score" | "nodeId">, b: typeof a): number {
  return a.failures - b.failures || a.score - b.score || (a.nodeId < b.nodeId ? -1 : 1);
}

/** The smallest free block that it would break up, well or not; the least there is when none is. */
function blockOf(node: NodeFacts, request: PlacementRequest): number {
  const least = leastBroken(request);
  let best: number | undefined;
  for (const bundle of node.make.bySize.get(request.gpuCount) ?? []) {
    if ((bundle.pairs & ~node.free) !== 0) continue;
    const block = broken(node, bundle);
    if (best === undefined || block < best) best = block;
    if (best === least) break;
  }
  return best ?? least;
}
