// The fleet as an index: nodes are put in one by one, and again when something about them changed.
// Leaf groups and the rankings over them follow from the nodes alone, so that two indexes over the
// same nodes answer alike however they came about.
import type { NodeId } from "@railyard/lib/ids";
import { Columns, Cursor } from "./columns.js";
import { isWhollyFree, type NodeFacts } from "./facts.js";
import type { FleetNode, LeafGroupKey, PlacementRequest } from "./fleet.js";
import { Journal } from "./journal.js";
import { byLot, keyOf, LeafGroup } from "./leaf-group.js";
import { Makes } from "./make.js";
import { Ranking, shapeOf } from "./ranking.js";

/** Shapes of request whose rankings are kept; each costs a few bytes for each leaf group. */
export const RANKINGS_MAX = 128;

export class FleetIndex {
  private readonly makes = new Makes();
  private readonly columns = new Columns(this.makes.all);
  private readonly rowsById = new Map<NodeId, number>();
  private readonly groupsByKey = new Map<string, LeafGroup>();
  private readonly rankings = new Map<string, Ranking>();
  private readonly journal = new Journal();
  private sorted: readonly LeafGroup[] | undefined;
  private sortedLots = new Uint32Array(0);
  /** Of the nodes, at `row`. */
  readonly cursor = new Cursor(this.columns);

  get size(): number {
    return this.rowsById.size;
  }

  /** Puts the node in, or in the place of what was known of it. */
  put(node: FleetNode): void {
    const row = this.rowsById.get(node.nodeId);
    const group = this.groupFor(node);
    if (row !== undefined && this.columns.groups[row] !== group) {
      this.delete(node.nodeId);
      this.put(node);
      return;
    }
    const make = this.makes.numberOf(node);
    if (row !== undefined && this.columns.has(row, node, make)) return;
    if (row !== undefined) this.count(row, -1);
    const at = row ?? this.add(node.nodeId, group);
    this.columns.write(at, node, { group, make });
    this.count(at, 1);
    this.journal.add(group, at);
  }

  delete(id: NodeId): void {
    const row = this.rowsById.get(id);
    const group = row === undefined ? undefined : this.columns.groups[row];
    if (row === undefined || !group) return;
    this.count(row, -1);
    this.rowsById.delete(id);
    group.remove(row);
    this.columns.drop(row);
    this.journal.add(group, row);
    if (group.rows.length > 0) return;
    this.groupsByKey.delete(group.key);
    this.resort();
  }

  clear(): void {
    for (const id of [...this.rowsById.keys()]) this.delete(id);
  }

  rowOf(id: NodeId): number | undefined {
    return this.rowsById.get(id);
  }

  /** In the order of their lots. */
  groups(): readonly LeafGroup[] {
    if (this.sorted) return this.sorted;
    const sorted = [...this.groupsByKey.values()].sort(byLot);
    for (const [position, group] of sorted.entries()) group.position = position;
    this.sorted = sorted;
    this.sortedLots = Uint32Array.from(sorted, ({ lot }) => lot);
    return sorted;
  }

  /** The lots of the leaf groups, by their positions. */
  lots(): Uint32Array {
    this.groups();
    return this.sortedLots;
  }

  group(of: LeafGroupKey & { readonly zone: string }): LeafGroup | undefined {
    return this.groupsByKey.get(keyOf(of));
  }

  /** Each node in turn, seen through one cursor: keep nothing of it. */
  *nodes(): Iterable<NodeFacts & { readonly group: LeafGroup }> {
    for (const row of this.rowsById.values()) {
      this.cursor.row = row;
      yield this.cursor;
    }
  }

  /** Leaf groups ranked for requests of this shape, up to date. */
  rankingFor(request: PlacementRequest): Ranking {
    const shape = shapeOf(request);
    const ranking = this.rankings.get(shape) ?? new Ranking(request);
    // The one used longest ago is the first.
    this.rankings.delete(shape);
    this.rankings.set(shape, ranking);
    const [oldest] = this.rankings.keys();
    if (this.rankings.size > RANKINGS_MAX && oldest !== undefined) this.rankings.delete(oldest);
    ranking.follow({ groups: this.groups(), journal: this.journal, cursor: this.cursor });
    return ranking;
  }

  private add(id: NodeId, group: LeafGroup): number {
    const row = this.columns.take();
    this.rowsById.set(id, row);
    group.rows.push(row);
    return row;
  }

  private groupFor(node: FleetNode): LeafGroup {
    const row = this.rowsById.get(node.nodeId);
    const present = row === undefined ? undefined : this.columns.groups[row];
    if (present && isIn(present, node)) return present;
    const known = this.groupsByKey.get(keyOf(node));
    if (known) return known;
    const made = new LeafGroup(node);
    this.groupsByKey.set(made.key, made);
    this.resort();
    return made;
  }

  /** Adds the row to what is in use of its leaf group, or takes it out. */
  private count(row: number, by: 1 | -1): void {
    const { cursor } = this;
    cursor.row = row;
    const { group, free, make } = cursor;
    if (free !== make.pairs) group.started += by;
    if (isWhollyFree(cursor)) group.wholeFree += by;
  }

  /** A leaf group came or went: positions changed. */
  private resort(): void {
    this.sorted = undefined;
    this.rankings.clear();
  }
}

function isIn(group: LeafGroup, node: FleetNode): boolean {
  const { zone, physicalClusterId, leafGroup } = node;
  if (group.leafGroup !== leafGroup || group.zone !== zone) return false;
  return group.physicalClusterId === physicalClusterId;
}
