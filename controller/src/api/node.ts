// NodeService: nodes between wire and use case. No rules, no SQL.
import { invalidField } from "@railyard/lib/errors";
import {
  CordonNodeResponse,
  CreateJoinTokenResponse,
  FenceMethod,
  FenceNodeResponse,
  type ListNodesRequest,
  type NodeServiceServer,
  UncordonNodeResponse,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import type { GetPlacedLayoutRequest } from "@railyard/proto/gen/railyard/admin/v1/node_layout";
import type { ServiceContext } from "../service/context.js";
import {
  cordonNode,
  createJoinToken,
  getNode,
  type JoinToken,
  listNodes,
  type NodeFilter,
  type NodeView,
  uncordonNode,
} from "../service/node.js";
import { type FenceNode, fenceNode } from "../service/node-fence.js";
import { type LayoutSubject, type PlacedLayout, placedLayout } from "../service/placed-layout.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { toState, toWireNode, toWireRow } from "./node-wire.js";
import { pageToken, readPage } from "./paging.js";

/** `controllerPublicKey`, base64url, is what agents check desired states with. */
export function nodeHandlers(
  ctx: ServiceContext,
  controllerPublicKey: string,
): Handlers<NodeServiceServer> {
  return {
    async listNodes(request, rpc) {
      const { name, zone, physicalCluster, leafGroup, state } = request;
      const bound = JSON.stringify([name, zone, physicalCluster, leafGroup, state]);
      const listing = readPage(rpc, request, bound);
      const page = await listNodes(ctx, { ...listing, filter: filterOf(request) });
      const rows = page.rows.map(({ node }) => ({ createdAt: 0, name: node.name, id: node.id }));
      return {
        nodes: page.rows.map(toWireNode),
        nextPageToken: pageToken(rpc, bound, { rows, more: page.more }),
        totalSize: BigInt(page.total),
      };
    },

    async getNode({ id }) {
      return { node: toWireNode(await getNode(ctx, idFrom("node", id))) };
    },

    cordonNode(request, rpc) {
      const { etag, reason } = request;
      const call = rpc.mutation(request, CordonNodeResponse, changed);
      return cordonNode(ctx, call, { id: idFrom("node", request.id), etag, reason });
    },

    uncordonNode(request, rpc) {
      const call = rpc.mutation(request, UncordonNodeResponse, changed);
      const { etag } = request;
      return uncordonNode(ctx, call, { id: idFrom("node", request.id), etag });
    },

    fenceNode(request, rpc) {
      const call = rpc.mutation(request, FenceNodeResponse, changed);
      const { etag, reason } = request;
      const method = methodFrom(request.method);
      return fenceNode(ctx, call, { id: idFrom("node", request.id), etag, method, reason });
    },

    createJoinToken(request, rpc) {
      const { nodeName, publicKey } = request;
      const call = rpc.mutation(request, CreateJoinTokenResponse, ({ node }: JoinToken) => ({
        joinToken: {
          nodeId: node.id,
          nodeName: node.name,
          incarnation: String(node.incarnation),
          controllerPublicKey,
        },
      }));
      return createJoinToken(ctx, call, { nodeName, publicKey });
    },

    async getPlacedLayout({ subject }) {
      return toWireLayout(await placedLayout(ctx, subjectOf(subject)));
    },
  };
}

function methodFrom(wire: FenceMethod): FenceNode["method"] {
  return wire === FenceMethod.FENCE_METHOD_OPERATOR_WORD ? "operator-word" : "other";
}

function toWireLayout({ rows, guests }: PlacedLayout) {
  return {
    rows: rows.map(toWireRow),
    guests: guests.map((guest) => ({ ...guest, qemuArguments: [...guest.qemuArguments] })),
  };
}

function changed(view: NodeView) {
  return { node: toWireNode(view) };
}

function filterOf(request: ListNodesRequest): NodeFilter {
  const { name, zone, physicalCluster, leafGroup } = request;
  return {
    ...(name !== "" && { name }),
    ...(zone !== "" && { zone }),
    ...(physicalCluster !== "" && { physicalCluster }),
    ...(leafGroup !== "" && { leafGroup }),
    ...(request.state !== 0 && { state: toState(request.state) ?? "" }),
  };
}

function subjectOf(subject: GetPlacedLayoutRequest["subject"]): LayoutSubject {
  if (subject?.$case === "instanceId") {
    return { instanceId: idFrom("instance", subject.value) };
  }
  if (subject?.$case === "nodeId") return { nodeId: idFrom("node", subject.value) };
  throw invalidField("subject", "must be an instance or a node");
}
