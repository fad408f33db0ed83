// The fleet as an index: nodes are put in one by one, and again when something about them changed.
// Leaf groups and the rankings over them follow from the nodes alone, so that two indexes over the
// same nodes answer alike however they came about.
import type { NodeId } from "@railyard/lib/ids";
import { Columns, Cursor } from "./columns.js";
import { isWhollyFree, type NodeFacts, type NodeState } from "./facts.js";
import type { Exceptions, FleetNode, LeafGroupKey, PlacementRequest } from "./fleet.js";
import { Rooms } from "./gang-rooms.js";
import { Journal, LOOK } from "./journal.js";
import { byLot, keyOf, LeafGroup, MARKS, markOf } from "./leaf-group.js";
import { Makes } from "./make.js";
import { type Around, hashOfShape, isOneShape, Ranking } from "./ranking.js";
import { Recent } from "./recent.js";
import { Ring } from "./ring.js";
import { States } from "./states.js";

/** Shapes of request whose rankings are kept; each costs a few bytes for each leaf group. */
export const RANKINGS_MAX = 128;
/** Shapes of gang members for which leaf groups' room is kept: costly, but soon found again. */
export const ROOMS_MAX = 3;

const SHAPES = { isSame: isOneShape, hashOf: hashOfShape };

export class FleetIndex {
  private readonly makes: Makes;
  private readonly columns: Columns;
  private readonly rowsById: Map<NodeId, number>;
  private readonly groupsByKey: Map<string, LeafGroup>;
  private readonly rankings = new Recent<PlacementRequest, Ranking>(RANKINGS_MAX, SHAPES);
  private readonly rooms = new Recent<PlacementRequest, Rooms>(ROOMS_MAX, SHAPES);
  private readonly journal = new Journal();
  private sorted: readonly LeafGroup[] | undefined;
  private sortedRing = new Ring(new Uint32Array(0));
  /** Of the nodes, at `row`. */
  readonly cursor: Cursor;

  /** Without nodes; with `like` a copy of that index, which goes its own way from now on. */
  constructor(like?: FleetIndex, numbers = new States()) {
    const groups = new Map([...(like?.groupsByKey.values() ?? [])].map((g) => [g, g.copy()]));
    this.makes = like?.makes ?? new Makes();
    this.columns = like?.columns.copy(groups) ?? new Columns(this.makes.all, numbers);
    this.rowsById = new Map(like?.rowsById);
    this.groupsByKey = new Map([...groups.values()].map((group) => [group.key, group]));
    this.cursor = new Cursor(this.columns);
  }

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
    if (!this.columns.write(at, node, { group, make })) this.rankings.clear();
    this.count(at, 1);
    this.note(at, group);
  }

  /** Another state of a node that is there. */
  adjust(id: NodeId, state: Partial<NodeState>): void {
    const row = this.rowsById.get(id);
    const group = row === undefined ? undefined : this.columns.groups[row];
    if (row === undefined || !group) return;
    this.count(row, -1);
    if (!this.columns.adjust(row, state)) this.rankings.clear();
    this.count(row, 1);
    this.note(row, group);
  }

  delete(id: NodeId): void {
    const row = this.rowsById.get(id);
    const group = row === undefined ? undefined : this.columns.groups[row];
    if (row === undefined || !group) return;
    this.count(row, -1);
    this.rowsById.delete(id);
    this.columns.drop(row);
    this.takeOut(row, group);
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
    this.sortedRing = new Ring(Uint32Array.from(sorted, ({ lot }) => lot));
    return sorted;
  }

  /** The lots of the leaf groups, by their positions. */
  ring(): Ring {
    this.groups();
    return this.sortedRing;
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

  /** Leaf groups ranked for requests of this shape, up to date but for the nodes named in it. */
  rankingFor(request: PlacementRequest): Ranking {
    const ranking =
      this.rankings.find(request) ??
      this.rankings.keep(request, new Ranking(request, this.around()));
    ranking.follow();
    if (request.exclude.length === 0 && request.crowded === undefined) return ranking;
    for (const group of this.groupsNamed(request)) ranking.blur(group, request);
    return ranking;
  }

  /** Leaf groups' room for gang members of this shape, up to date but for the nodes named in it. */
  roomsFor(member: PlacementRequest): Rooms {
    const rooms = this.rooms.find(member) ?? this.rooms.keep(member, new Rooms(member));
    rooms.follow(this.around());
    for (const group of this.groupsNamed(member)) rooms.blur(group, this.cursor, member);
    return rooms;
  }

  /** Leaf groups of the nodes that are named. */
  private groupsNamed({ exclude, crowded }: Exceptions): Iterable<LeafGroup> {
    const named = new Set<LeafGroup>();
    for (const ids of [exclude, crowded?.keys() ?? []]) {
      for (const id of ids) {
        const group = this.columns.groups[this.rowsById.get(id) ?? -1];
        if (group) named.add(group);
      }
    }
    return named;
  }

  private around(): Around {
    const { journal, cursor, makes } = this;
    return { groups: this.groups(), journal, cursor, makes: makes.all };
  }

  private add(id: NodeId, group: LeafGroup): number {
    const row = this.columns.take();
    this.rowsById.set(id, row);
    this.columns.marks[row] = markOf(group.rows.length);
    group.rows.push(row);
    return row;
  }

  /** The last row of the leaf group takes its place. */
  private takeOut(row: number, group: LeafGroup): void {
    const place = group.remove(row);
    const last = group.rows.length;
    const moved = group.rows[place];
    if (moved !== undefined) this.columns.marks[moved] = markOf(place);
    for (const changed of [place, last]) this.journal.add(group, markOf(changed), LOOK);
  }

  /** The row holds something else from now on. */
  private note(row: number, group: LeafGroup): void {
    const { marks, states } = this.columns;
    const alone = group.rows.length <= MARKS;
    this.journal.add(group, marks[row] as number, alone ? (states[row] as number) : LOOK);
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
    this.rooms.clear();
  }
}

function isIn(group: LeafGroup, node: FleetNode): boolean {
  const { zone, physicalClusterId, leafGroup } = node;
  if (group.leafGroup !== leafGroup || group.zone !== zone) return false;
  return group.physicalClusterId === physicalClusterId;
}
