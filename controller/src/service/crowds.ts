// Keeps instances off nodes whose desired state, which travels as one message, has no room for
// them: whoever asks placement looks at where it would put them and asks again. Those who place and
// those who explain ask in this one way. Decides nothing about what else speaks for a node.
import type { InstanceId, NodeId } from "@railyard/lib/ids";
import type { PlacementRequest } from "../placement/fleet.js";
import type { FleetIndex } from "../placement/fleet-index.js";
import type { ServiceContext } from "./context.js";
import { type Newcomer, shapeBytes } from "./desired.js";
import { type Load, surveyRooms } from "./survey.js";
import type { MessageReads } from "./tenant.js";

/** Most nodes that are found full one after the other before a survey, and again after it. */
export const CROWDED_MAX = 16;

export interface CrowdsOf {
  /** What each member brings. */
  readonly each: Newcomer;
  /** An instance that is thought away: it asks anew. */
  readonly without?: InstanceId | undefined;
  /** Bytes that others, not written anywhere, would take. */
  readonly taken?: ReadonlyMap<NodeId, number> | undefined;
}

/** What is asked of placement. */
export interface Question {
  readonly fleet: FleetIndex;
  readonly request: PlacementRequest;
  /** How many like the request there are. */
  readonly wanted: number;
}

/** The nodes that were found full, for one question. */
export class Crowds {
  private readonly rooms = new Map<NodeId, number>();
  private left = CROWDED_MAX;
  private isSurveyed = false;

  constructor(
    private readonly messages: MessageReads,
    private readonly ctx: ServiceContext,
    private readonly of: CrowdsOf,
  ) {}

  /** The request with all that is known by now. */
  in(request: PlacementRequest): PlacementRequest {
    return this.rooms.size === 0 ? request : { ...request, crowded: new Map(this.rooms) };
  }

  /**
   * Whether asking again may help, with what is known then: when too many were full, how much room
   * there is elsewhere is found out at once, for so many on each node, but only one time.
   */
  async mayAskAgain({ fleet, request, wanted }: Question): Promise<boolean> {
    if (this.left > 0) return true;
    if (this.isSurveyed) return false;
    this.isSurveyed = true;
    this.left = CROWDED_MAX;
    const rooms = await surveyRooms({
      ...{ fleet, request: this.in(request), wanted },
      loadOf: (node) => this.loadOf(node),
      roomOn: (node) => this.roomOn(node, wanted),
    });
    // What was found out one by one is known better than where the survey ended.
    for (const [node, room] of rooms) if (!this.rooms.has(node)) this.rooms.set(node, room);
    return true;
  }

  /**
   * How many of these members have room in the desired state of the node that each is seated on;
   * nodes without room for all of theirs are known from now on.
   */
  async roomFor(seated: readonly { readonly nodeId: NodeId }[]): Promise<number> {
    const members = new Map<NodeId, number>();
    for (const { nodeId } of seated) members.set(nodeId, (members.get(nodeId) ?? 0) + 1);
    let fit = 0;
    for (const [nodeId, wanted] of members) {
      const room = await this.roomOn(nodeId, wanted);
      fit += room;
      if (room >= wanted) continue;
      this.rooms.set(nodeId, room);
      this.left -= 1;
    }
    return fit;
  }

  private roomOn(nodeId: NodeId, wanted: number): Promise<number> {
    const { each, without, taken } = this.of;
    const asked = { nodeId, each, wanted, without, taken: taken?.get(nodeId) ?? 0 };
    return this.messages.messageRoom(this.ctx, asked);
  }

  private async loadOf(nodeId: NodeId): Promise<Load> {
    const { instances, bytes } = await this.messages.messageLoad(nodeId);
    return { instances, bytes: bytes + (this.of.taken?.get(nodeId) ?? 0) };
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
