// What nodes offer to requests of one shape, found out once for all nodes of one state: then it is
// one look into a table. Knows no leaf group and no other node.
import type { Cursor } from "./columns.js";
import type { PlacementRequest } from "./fleet.js";
import { fitting } from "./preferences.js";

/** The block of a node that does not fit: larger than any other. */
export const UNFIT = 0xff;
/** No node of that state was looked at, or not lately. */
export const UNKNOWN = -1;

const SLOTS_AT_FIRST = 256;
/** Eight bytes each. With more states than that, some push out others and are found out again. */
const SLOTS_MAX = 4_096;
/** A state and the block broken up on its nodes share a number. */
const BLOCK_BITS = 8;

/** Every row asked for must be of the request's zone and cluster: a state says neither. */
export class Fits {
  /** By the last bits of the state: the state and the block; 0 where nothing is known. */
  private blocks = new Uint32Array(SLOTS_AT_FIRST);
  private pairs = new Uint32Array(SLOTS_AT_FIRST);

  /** The request must exclude no node. */
  constructor(private readonly request: PlacementRequest) {}

  /** Size of the block that is broken up on the row's node, as `fitting` says; UNFIT if none. */
  blockOn(row: number, cursor: Cursor): number {
    const known = this.blockOf(cursor.stateOf(row));
    return known === UNKNOWN ? this.learn(row, cursor) : known;
  }

  /** The same of every node of that state; UNKNOWN until one was looked at. */
  blockOf(state: number): number {
    const { blocks } = this;
    const known = blocks[state & (blocks.length - 1)] as number;
    return known >>> BLOCK_BITS === state ? known & UNFIT : UNKNOWN;
  }

  /** The pairs to take on the row's node, which fits. */
  pairsOn(row: number, cursor: Cursor): number {
    this.blockOn(row, cursor);
    return this.pairs[this.slotOf(cursor.stateOf(row))] as number;
  }

  /** Finds it out; the block. */
  private learn(row: number, cursor: Cursor): number {
    const state = cursor.stateOf(row);
    while (this.blocks[this.slotOf(state)] !== 0 && this.blocks.length < SLOTS_MAX) this.grow();
    cursor.row = row;
    const found = fitting(cursor, this.request);
    const block = found ? found.broken : UNFIT;
    this.blocks[this.slotOf(state)] = (state << BLOCK_BITS) | block;
    this.pairs[this.slotOf(state)] = found ? found.pairs : 0;
    return block;
  }

  private slotOf(state: number): number {
    return state & (this.blocks.length - 1);
  }

  private grow(): void {
    const { blocks, pairs } = this;
    this.blocks = new Uint32Array(blocks.length * 2);
    this.pairs = new Uint32Array(blocks.length * 2);
    for (const [slot, known] of blocks.entries()) {
      if (known === 0) continue;
      const to = this.slotOf(known >>> BLOCK_BITS);
      this.blocks[to] = known;
      this.pairs[to] = pairs[slot] as number;
    }
  }
}
