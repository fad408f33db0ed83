// Keeps instances off nodes whose desired state, which travels as one message, has no room for
// them: whoever asks placement looks at where it would put them and asks again. Those who place and
// those who explain ask in this one way. Decides nothing about what else speaks for a node.
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import type { PlacementRequest } from "../placement/fleet.js";
import type { ServiceContext } from "./context.js";
import { type Newcomer, shapeBytes } from "./desired.js";
import type { MessageReads } from "./tenant.js";

/** Most nodes that are found full for one question; then nothing more is looked for. */
export const CROWDED_MAX = 64;

export interface CrowdsOf {
  /** What each member brings. */
  readonly each: Newcomer;
  /** An instance that is thought away: it asks anew. */
  readonly without?: InstanceId | undefined;
  /** Bytes that others, not written anywhere, would take. */
  readonly taken?: ReadonlyMap<NodeId, number> | undefined;
}

/** The nodes that were found full, for one question. */
export class Crowds {
  private readonly rooms = new Map<NodeId, number>();

  constructor(
    private readonly messages: MessageReads,
    private readonly ctx: ServiceContext,
    private readonly of: CrowdsOf,
  ) {}

  /** The request with all that is known by now. */
  in(request: PlacementRequest): PlacementRequest {
    return this.rooms.size === 0 ? request : { ...request, crowded: new Map(this.rooms) };
  }

  /** Whether so many are known that no more are looked for. */
  get areTooMany(): boolean {
    return this.rooms.size >= CROWDED_MAX;
  }

  /**
   * How many of these members have room in the desired state of the node that each is seated on;
   * nodes without room for all of theirs are known from now on.
   */
  async roomFor(seated: readonly { readonly nodeId: NodeId }[]): Promise<number> {
    const { each, without, taken } = this.of;
    const members = new Map<NodeId, number>();
    for (const { nodeId } of seated) members.set(nodeId, (members.get(nodeId) ?? 0) + 1);
    let fit = 0;
    for (const [nodeId, wanted] of members) {
      const asked = { nodeId, each, wanted, without, taken: taken?.get(nodeId) ?? 0 };
      const room = await this.messages.messageRoom(this.ctx, asked);
      fit += room;
      if (room < wanted) this.rooms.set(nodeId, room);
    }
    return fit;
  }
}

/** What members of whom only the shape is known would take on their nodes, beside `taken`. */
export function withTaken(
  taken: ReadonlyMap<NodeId, number>,
  seated: readonly { readonly nodeId: NodeId }[],
  each: Newcomer,
): ReadonlyMap<NodeId, number> {
  const sums = new Map(taken);
  for (const { nodeId } of seated) sums.set(nodeId, (sums.get(nodeId) ?? 0) + shapeBytes(each));
  return sums;
}
