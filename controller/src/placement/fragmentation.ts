// How scattered free room is: in each physical cluster, for each size of instance, how many fit and
// how many gangs of them still fit within one leaf group. GPUs on well rails are counted, whatever
// vCPUs, memory and disk are free beside them. Pure; looks at every node.
import type { PhysicalClusterId } from "@railyard/lib/ids";
import { sizeOf } from "../domain/bundle.js";
import { isWhollyFree, type NodeFacts } from "./facts.js";
import type { FleetIndex } from "./fleet-index.js";

/** Room for gangs of so many members. */
export interface FreeBlocks {
  readonly members: number;
  /** How many such gangs fit, each within one leaf group. */
  readonly blocks: number;
  /** How many would if all free room were in one leaf group. */
  readonly unscattered: number;
}

export interface FreeShape {
  /** GPUs of each instance. */
  readonly gpus: number;
  readonly fits: number;
  /** By number of members, doubling from 1, as long as so many fit at all. */
  readonly blocks: readonly FreeBlocks[];
}

export interface Fragmentation {
  readonly physicalClusterId: PhysicalClusterId;
  readonly leafGroups: number;
  /** On nodes that take work; so are the nodes. */
  readonly freeGpus: number;
  readonly freeNodes: number;
  /** Some of their pairs are taken, some are free. */
  readonly partlyUsed: number;
  /** Whole nodes free in the best leaf group. */
  readonly largestGang: number;
  /** Largest first. */
  readonly shapes: readonly FreeShape[];
}

/** Of each cluster with nodes, by its id. */
export function fragmentationOf(fleet: FleetIndex): readonly Fragmentation[] {
  const clusters = new Map<PhysicalClusterId, Cluster>();
  for (const group of fleet.groups()) {
    const { physicalClusterId: id } = group;
    const cluster = clusters.get(id) ?? new Cluster(id);
    clusters.set(id, cluster);
    const room = new Map<number, number>();
    for (const row of group.rows) {
      fleet.cursor.row = row;
      cluster.count(fleet.cursor);
      for (const [gpus, fits] of roomOn(fleet.cursor)) room.set(gpus, (room.get(gpus) ?? 0) + fits);
    }
    cluster.add(room, group.wholeFree);
  }
  return [...clusters.values()]
    .map((cluster) => cluster.summary())
    .sort((a, b) => (a.physicalClusterId < b.physicalClusterId ? -1 : 1));
}

/** By number of GPUs, how many instances would fit; legal sets of one size never overlap. */
function roomOn(node: NodeFacts): ReadonlyMap<number, number> {
  const usable = takesWork(node) ? node.free & node.healthy : 0;
  const room = new Map<number, number>();
  for (const [gpus, bundles] of node.make.bySize) {
    room.set(gpus, bundles.filter(({ pairs }) => (pairs & ~usable) === 0).length);
  }
  return room;
}

function takesWork({ eligible, leaseFresh, inventoryMatches }: NodeFacts): boolean {
  return eligible && leaseFresh && inventoryMatches;
}

class Cluster {
  private freeGpus = 0;
  private freeNodes = 0;
  private partlyUsed = 0;
  private largestGang = 0;
  /** By number of GPUs, what each leaf group has room for. */
  private readonly rooms = new Map<number, number[]>();
  private leafGroups = 0;

  constructor(private readonly id: PhysicalClusterId) {}

  count(node: NodeFacts): void {
    if (!takesWork(node)) return;
    const free = sizeOf(node.free);
    this.freeGpus += free;
    if (isWhollyFree(node)) this.freeNodes += 1;
    if (free > 0 && node.free !== node.make.pairs) this.partlyUsed += 1;
  }

  add(room: ReadonlyMap<number, number>, wholeFree: number): void {
    this.leafGroups += 1;
    this.largestGang = Math.max(this.largestGang, wholeFree);
    for (const [gpus, fits] of room) {
      const rooms = this.rooms.get(gpus) ?? [];
      rooms.push(fits);
      this.rooms.set(gpus, rooms);
    }
  }

  summary(): Fragmentation {
    const {
      id: physicalClusterId,
      leafGroups,
      freeGpus,
      freeNodes,
      partlyUsed,
      largestGang,
    } = this;
    const sizes = [...this.rooms].sort(([a], [b]) => b - a);
    const shapes = sizes.map(([gpus, rooms]) => shapeOf(gpus, rooms));
    return { physicalClusterId, leafGroups, freeGpus, freeNodes, partlyUsed, largestGang, shapes };
  }
}

function shapeOf(gpus: number, rooms: readonly number[]): FreeShape {
  const fits = rooms.reduce((sum, room) => sum + room, 0);
  const blocks: FreeBlocks[] = [];
  for (let members = 1; members <= fits; members *= 2) {
    blocks.push({
      members,
      blocks: rooms.reduce((sum, room) => sum + Math.floor(room / members), 0),
      unscattered: Math.floor(fits / members),
    });
  }
  return { gpus, fits, blocks };
}
