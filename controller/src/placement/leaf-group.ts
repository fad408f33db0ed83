// A leaf group in the index: its nodes' rows and what is in use of it. Knows no request.
import type { PhysicalClusterId } from "@railyard/lib/ids";
import { groupKey } from "./facts.js";
import type { FleetNode, LeafGroupKey } from "./fleet.js";
import { type GroupUse, lot } from "./preferences.js";

/** Rows stand at marks by the last bits of their place: small leaf groups have one row at each. */
export const MARK_BITS = 5;
export const MARKS = 2 ** MARK_BITS;

/** The mark of the leaf group's row at this place. */
export function markOf(place: number): number {
  return place & (MARKS - 1);
}

export class LeafGroup implements GroupUse {
  readonly zone: string;
  readonly physicalClusterId: PhysicalClusterId;
  readonly leafGroup: string;
  readonly key: string;
  /** Its point on the ring of lots. */
  readonly lot: number;
  readonly rows: number[] = [];
  started = 0;
  wholeFree = 0;
  /** Where it stands among all leaf groups, in the order of their lots. */
  position = -1;

  constructor(node: Pick<FleetNode, "zone" | "physicalClusterId" | "leafGroup">) {
    this.zone = node.zone;
    this.physicalClusterId = node.physicalClusterId;
    this.leafGroup = node.leafGroup;
    this.key = keyOf(node);
    this.lot = lot(groupKey(node));
  }

  /** The same with rows of its own. */
  copy(): LeafGroup {
    const copy = new LeafGroup(this);
    for (const row of this.rows) copy.rows.push(row);
    copy.started = this.started;
    copy.wholeFree = this.wholeFree;
    return copy;
  }

  /** The place that the row had: the last row stands there now, unless it was the last itself. */
  remove(row: number): number {
    const place = this.rows.indexOf(row);
    const last = this.rows.pop();
    if (last !== undefined && last !== row) this.rows[place] = last;
    return place;
  }
}

/** What a leaf group is known by. */
export function keyOf(node: LeafGroupKey & { readonly zone: string }): string {
  return `${node.zone} ${groupKey(node)}`;
}

/** In the order of their lots. */
export function byLot(a: LeafGroup, b: LeafGroup): number {
  return a.lot - b.lot || (a.key < b.key ? -1 : 1);
}
