// What changed, in order, so that each ranking catches up with what it has not seen. Bounded: who
// falls behind too far must look at everything again. Numbers only: no change makes an object.
import { type LeafGroup, MARK_BITS } from "./leaf-group.js";
import { useOf } from "./preferences.js";

const ENTRIES_MAX = 16_384;
const ENTRIES_AT_FIRST = 64;
/** Numbers of each entry. */
const WIDTH = 3;

/** In the place of a state, and no state's number: what stands at the mark must be looked at. */
export const LOOK = 0x1000000;

export class Journal {
  /**
   * From `indexOf` its number on, of each change: the leaf group's position and behind it the mark,
   * the state that is there now or LOOK, and what `useOf` the leaf group says now.
   */
  entries = new Int32Array(ENTRIES_AT_FIRST * WIDTH);
  private kept = ENTRIES_AT_FIRST;
  /** The number that the next change will have. */
  next = 0;

  /** At the mark there is now this state, or LOOK. Leaf groups must have their positions. */
  add(group: LeafGroup, mark: number, state: number): void {
    if (this.next === this.kept && this.kept < ENTRIES_MAX) this.grow();
    const { entries } = this;
    const at = (this.next & (this.kept - 1)) * WIDTH;
    entries[at] = (group.position << MARK_BITS) | mark;
    entries[at + 1] = state;
    entries[at + 2] = useOf(group);
    this.next += 1;
  }

  /** Whether this change and all after it are still known. */
  knows(number: number): boolean {
    return number >= 0 && this.next - number <= this.kept;
  }

  /** Positions of leaf groups that changed since; undefined when that is no longer known. */
  since(number: number): ReadonlySet<number> | undefined {
    if (!this.knows(number)) return undefined;
    const positions = new Set<number>();
    for (let n = number; n < this.next; n++) {
      positions.add((this.entries[this.indexOf(n)] as number) >> MARK_BITS);
    }
    return positions;
  }

  /** Where in `entries` the change of that number begins; it must be known. */
  indexOf(number: number): number {
    return (number & (this.kept - 1)) * WIDTH;
  }

  /** Before it is full for the first time, so that entries stay where they are. */
  private grow(): void {
    this.kept *= 2;
    const entries = new Int32Array(this.kept * WIDTH);
    entries.set(this.entries);
    this.entries = entries;
  }
}
