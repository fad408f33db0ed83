// An explanation of a placement as a message, with the words for its changes. For operators only:
// it names nodes.

import type { NodeId } from "@railyard/lib/ids";
import {
  PlacementChangeKind,
  type PlacementChange as WireChange,
  type PlacementCount as WireCount,
  type PlacementExplanation as WireExplanation,
} from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import type { ExplainedView } from "../service/explain.js";

type Change = ExplainedView["changes"][number];
type Count = ExplainedView["explanation"]["removed" | "preferred"][number];

const KINDS: Readonly<Record<Change["kind"], PlacementChangeKind>> = {
  "leaf-groups": PlacementChangeKind.PLACEMENT_CHANGE_KIND_MORE_LEAF_GROUPS,
  fewer: PlacementChangeKind.PLACEMENT_CHANGE_KIND_FEWER_MEMBERS,
  "sick-rails": PlacementChangeKind.PLACEMENT_CHANGE_KIND_DEGRADED_RAILS,
  "hold-ends": PlacementChangeKind.PLACEMENT_CHANGE_KIND_HOLD_ENDS,
  "more-nodes": PlacementChangeKind.PLACEMENT_CHANGE_KIND_MORE_NODES,
};

const NO_CHANGE = "none: no change that was tried would be enough alone";

/** Node names listed in words; the others are counted. */
const NAMED_MAX = 8;

export function explanationMessage(view: ExplainedView): WireExplanation {
  const { explanation, members, names } = view;
  const { trial, considered, fitting, removed, preferred, rejected } = explanation;
  const changes = view.changes.map((change) => changeMessage(view, change));
  const nameOf = (id: NodeId) => names.get(id) ?? "";
  const countMessage = ({ name, count, examples }: Count): WireCount => {
    return { rule: name, count, examples: examples.map(nameOf).sort() };
  };
  return {
    fits: trial.fits,
    consideredCount: considered,
    fitCount: view.fit,
    askedCount: view.asked,
    fittingNodeCount: fitting,
    removed: removed.map(countMessage),
    preferred: preferred.map(countMessage),
    members: members.map(({ nodeId, leafGroup, gpus }, member) => {
      return { member, nodeName: nameOf(nodeId), leafGroup, gpuDeviceIds: [...gpus] };
    }),
    rejected: rejected.map(({ nodeId, leafGroup, rules, score }) => {
      return { nodeName: nameOf(nodeId), leafGroup, rules: [...rules], score: BigInt(score) };
    }),
    changes,
    smallestChange: trial.fits ? "" : (changes[0]?.message ?? NO_CHANGE),
  };
}

function changeMessage(view: ExplainedView, change: Change): WireChange {
  const nodes = change.kind === "sick-rails" ? change.nodes : [];
  const more = change.kind === "more-nodes" ? change : { hardware: "", leafGroup: "" };
  return {
    kind: KINDS[change.kind],
    message: wordsOf(view, change),
    count: countIn(change),
    nodeNames: nodes.map((id) => view.names.get(id) ?? ""),
    holdId: change.kind === "hold-ends" ? change.holdId : "",
    endsAt: change.kind === "hold-ends" ? new Date(change.endsAt) : undefined,
    ...{ hardware: more.hardware, leafGroup: more.leafGroup },
  };
}

function countIn(change: Change): number {
  if (change.kind === "fewer" || change.kind === "more-nodes") return change.count;
  return change.kind === "leaf-groups" ? change.maxLeafGroups : 0;
}

function wordsOf({ asked, names, holders }: ExplainedView, change: Change): string {
  switch (change.kind) {
    case "leaf-groups":
      return `spread over ${change.maxLeafGroups} leaf groups all of it fits`;
    case "fewer":
      return `${change.count} of the ${asked} fit`;
    case "sick-rails": {
      const shown = change.nodes.slice(0, NAMED_MAX).map((id) => names.get(id) ?? "");
      const more = change.nodes.length - shown.length;
      const others = more > 0 ? ` and ${more} more` : "";
      return `it fits on degraded rails, those of ${shown.join(", ")}${others}`;
    }
    case "hold-ends": {
      const at = new Date(change.endsAt).toISOString();
      const whose = holders.get(change.holdId) ?? "";
      return `it fits when hold ${change.holdId} of ${whose} has ended, at the latest at ${at}`;
    }
    case "more-nodes": {
      const nodes = change.count === 1 ? "one more node" : `${change.count} more nodes`;
      return `it fits with ${nodes} of ${change.hardware} in leaf group ${change.leafGroup}`;
    }
  }
}
