// Which rows changed, in order, so that each ranking catches up with what it has not seen. Bounded:
// who falls behind too far must look at everything again.
import type { LeafGroup } from "./leaf-group.js";

const ENTRIES_MAX = 16_384;

export interface Change {
  readonly group: LeafGroup;
  /** The row that changed, came or went. */
  readonly row: number;
}

export class Journal {
  private entries: Change[] = [];
  private first = 0;

  /** The number that the next change will have. */
  get next(): number {
    return this.first + this.entries.length;
  }

  add(group: LeafGroup, row: number): void {
    this.entries.push({ group, row });
    if (this.entries.length <= ENTRIES_MAX) return;
    const dropped = ENTRIES_MAX / 2;
    this.entries = this.entries.slice(dropped);
    this.first += dropped;
  }

  /** Changes since that one, oldest first; undefined when that is no longer known. */
  since(number: number): readonly Change[] | undefined {
    return number < this.first ? undefined : this.entries.slice(number - this.first);
  }
}
