// PlacementAdminService: explanations and simulations between wire and use case. For operators
// only; places nothing.
import { invalidField } from "@railyard/lib/errors";
import type {
  ExplainPlacementRequest,
  PlacementAdminServiceServer,
  ClusterFragmentation as WireFragmentation,
  AccountShape as WireShape,
} from "@railyard/proto/gen/railyard/admin/v1/placement_admin";
import type { AccountShape } from "../service/asked.js";
import type { ServiceContext } from "../service/context.js";
import { proposeDefragmentation } from "../service/defragmentation.js";
import { type ExplainSubject, explainPlacement } from "../service/explain.js";
import { type ClusterFragmentation, getFragmentation } from "../service/fragmentation.js";
import { simulatePlacement } from "../service/simulation.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { shapeOf } from "./placement.js";
import { explanationMessage } from "./placement-explanation.js";

export function placementAdminHandlers(ctx: ServiceContext): Handlers<PlacementAdminServiceServer> {
  return {
    async explainPlacement({ subject }) {
      const view = await explainPlacement(ctx, subjectOf(subject));
      return { explanation: explanationMessage(view) };
    },

    async simulatePlacement({ shapes, withoutNodes, seed }) {
      const wish = { shapes: shapes.map(accountShapeOf), withoutNodes, seed };
      const views = await simulatePlacement(ctx, wish);
      return { explanations: views.map(explanationMessage) };
    },

    async getFragmentation({ zone, physicalCluster: name }) {
      const clusters = await getFragmentation(ctx, { zone, name });
      return { clusters: clusters.map(fragmentationMessage) };
    },

    async proposeDefragmentation({ physicalCluster: cluster, wantedNodes, maxMoves: movesMax }) {
      const found = await proposeDefragmentation(ctx, { cluster, wantedNodes, movesMax });
      const { moves, names, free, together } = found;
      return {
        moves: moves.map(({ instanceId, account, from, to, gpuCount, freeNodesAfter }) => ({
          ...{ instanceId, account: account ?? "", gpuCount },
          ...{ fromNode: names.get(from) ?? "", toNode: names.get(to) ?? "" },
          freeNodeCountAfter: freeNodesAfter,
        })),
        ...{ freeNodeCountBefore: free.before, freeNodeCountAfter: free.after },
        ...{ largestGangBefore: together.before, largestGangAfter: together.after },
      };
    },
  };
}

function subjectOf(subject: ExplainPlacementRequest["subject"]): ExplainSubject {
  if (subject?.$case === "instanceId") return { instanceId: idFrom("instance", subject.value) };
  if (subject?.$case === "shape") return accountShapeOf(subject.value);
  throw invalidField("instance_id", "give an instance or a shape");
}

function accountShapeOf({ account, shape }: WireShape): AccountShape {
  return { account: idFrom("account", account), shape: shapeOf(shape) };
}

function fragmentationMessage({ cluster, found }: ClusterFragmentation): WireFragmentation {
  return {
    ...{ physicalCluster: cluster.name, zone: cluster.zone },
    freeGpuCount: found?.freeGpus ?? 0,
    freeNodeCount: found?.freeNodes ?? 0,
    partlyUsedNodeCount: found?.partlyUsed ?? 0,
    largestGang: found?.largestGang ?? 0,
    leafGroupCount: found?.leafGroups ?? 0,
    shapes: (found?.shapes ?? []).map(({ gpus, fits, blocks }) => ({
      ...{ gpuCount: gpus, fitCount: fits },
      blocks: blocks.map(({ members, blocks: blockCount, unscattered }) => {
        return { memberCount: members, blockCount, unscatteredCount: unscattered };
      }),
    })),
  };
}
