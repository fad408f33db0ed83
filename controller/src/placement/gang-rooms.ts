// Leaf groups by the room that each has for gang members of one shape, kept up to date change by
// change so that a gang is placed without looking at every node. Knows no gang's size.
import type { Cursor } from "./columns.js";
import type { Exceptions, PlacementRequest } from "./fleet.js";
import { type Offer, ofOrder, orderOf, type Stock, Stocks, sizeOf } from "./gang-stock.js";
import type { LeafGroup } from "./leaf-group.js";
import { distance } from "./preferences.js";
import type { Around } from "./ranking.js";

/** Rooms that leaf groups alike share; beyond it they are just not shared any more. */
const SHARED_MAX = 512;

/** What a plan within one leaf group does to whole nodes, by number of members. */
export interface Tolls {
  /** Sum over the members of the size of the block that each breaks up. */
  readonly blocks: Float64Array;
  readonly nodes: Float64Array;
}

/** The room in a leaf group on one set of rails, without the names of nodes. */
export class Profile {
  /** Another for each that differs. */
  readonly number: number;
  readonly rails: number;
  readonly capacity: number;
  /** In the order in which they are taken up, each run of offers alike as one number. */
  private readonly runs: readonly number[];

  constructor(number: number, rails: number, offers: readonly Offer[]) {
    const counts = new Map<number, number>();
    for (const order of offers.map(orderOf)) counts.set(order, (counts.get(order) ?? 0) + 1);
    this.number = number;
    this.rails = rails;
    this.capacity = offers.reduce((sum, offer) => sum + sizeOf(offer), 0);
    this.runs = [...counts].sort(([a], [b]) => a - b).map(([order, n]) => order * RUN_MAX + n);
  }

  /** The least tolls, for up to `most` members or all that fit. */
  tolls(most: number): Tolls {
    const members = Math.min(most, this.capacity);
    const blocks = new Float64Array(members + 1);
    const nodes = new Float64Array(members + 1);
    let m = 0;
    for (const run of this.runs) {
      const { block, first, size } = ofOrder(Math.floor(run / RUN_MAX));
      for (let n = run % RUN_MAX; n > 0 && m < members; n--) {
        const touched = (nodes[m] as number) + (first ? 1 : 0);
        for (let i = size; i > 0 && m < members; i--) {
          blocks[m + 1] = (blocks[m] as number) + block;
          nodes[m + 1] = touched;
          m += 1;
        }
      }
    }
    return { blocks, nodes };
  }
}

/** A run is its offers' order times this, and how many they are: fewer than this. */
const RUN_MAX = 2 ** 20;

/** What a leaf group has room for, on each set of rails. */
export type Room = readonly Profile[];

/** One member's place. */
export interface Slot {
  readonly row: number;
  readonly bundle: number;
}

export class Rooms {
  private readonly stocks: Stocks;
  private readonly shared = new Map<string, Room>();
  /** By position of the leaf group. */
  private rooms: Room[] = [];
  private seen = -1;
  private made = 0;
  /** Leaf groups that were looked at without some of their nodes. */
  private blurred: LeafGroup[] = [];

  constructor(private readonly member: PlacementRequest) {
    this.stocks = new Stocks({ ...member, exclude: [], crowded: undefined });
  }

  /** Catches up with what changed since it was last asked for. */
  follow({ groups, journal, cursor }: Around): void {
    const positions = journal.since(this.seen);
    const changed = positions ? [...positions].flatMap((at) => groups[at] ?? []) : groups;
    for (const group of new Set([...changed, ...this.blurred.splice(0)])) this.look(group, cursor);
    this.seen = journal.next;
  }

  /** The leaf group with what is said of its nodes by name, until the next time. */
  blur(group: LeafGroup, cursor: Cursor, except: Exceptions): void {
    this.blurred.push(group);
    this.look(group, cursor, except);
  }

  in(group: LeafGroup): Room {
    return this.rooms[group.position] ?? NOWHERE;
  }

  /** Places for so many members on these rails; nodes alike are taken by lot from `start`. */
  slots(group: LeafGroup, cursor: Cursor, wanted: Slots): readonly Slot[] {
    const offers: (Offer & { readonly row: number; readonly far: number })[] = [];
    for (const row of group.rows) {
      cursor.row = row;
      const far = distance(wanted.start, cursor.lot);
      for (const offer of this.stocks.of(cursor, wanted.except)?.offers ?? []) {
        if (offer.rails === wanted.rails) offers.push({ ...offer, row, far });
      }
    }
    const name = (row: number) => {
      cursor.row = row;
      return cursor.nodeId;
    };
    return offers
      .sort((a, b) => {
        return orderOf(a) - orderOf(b) || a.far - b.far || (name(a.row) < name(b.row) ? -1 : 1);
      })
      .flatMap(({ row, bundles, times }) =>
        bundles.flatMap((bundle) => Array.from({ length: times }, (): Slot => ({ row, bundle }))),
      )
      .slice(0, wanted.members);
  }

  private look(group: LeafGroup, cursor: Cursor, except?: Exceptions): void {
    const { zone, physicalClusterId: cluster } = this.member;
    if (group.zone !== zone || (cluster && group.physicalClusterId !== cluster)) return;
    const stocks: Stock[] = [];
    for (const row of group.rows) {
      cursor.row = row;
      const stock = this.stocks.of(cursor, except);
      if (stock) stocks.push(stock);
    }
    this.rooms[group.position] = this.roomOf(stocks);
  }

  private roomOf(stocks: Stock[]): Room {
    if (stocks.length === 0) return NOWHERE;
    stocks.sort((a, b) => a.number - b.number);
    let key = "";
    for (const { number } of stocks) key += `${number} `;
    const known = this.shared.get(key);
    if (known) return known;
    const room = this.newRoom(stocks.flatMap(({ offers }) => offers));
    if (this.shared.size >= SHARED_MAX) this.shared.clear();
    this.shared.set(key, room);
    return room;
  }

  private newRoom(offers: readonly Offer[]): Room {
    const byRails = new Map<number, Offer[]>();
    for (const offer of offers) {
      const alike = byRails.get(offer.rails);
      if (alike) alike.push(offer);
      else byRails.set(offer.rails, [offer]);
    }
    return [...byRails].map(([rails, alike]) => {
      this.made += 1;
      return new Profile(this.made, rails, alike);
    });
  }
}

const NOWHERE: Room = [];

export interface Slots {
  readonly rails: number;
  readonly members: number;
  readonly start: number;
  readonly except: Exceptions;
}
