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
  private groups: LeafGroup[] = [];
  private rows: number[] = [];
  private first = 0;

  /** The number that the next change will have. */
  get next(): number {
    return this.first + this.rows.length;
  }

  add(group: LeafGroup, row: number): void {
    this.groups.push(group);
    this.rows.push(row);
    if (this.rows.length <= ENTRIES_MAX) return;
    const dropped = ENTRIES_MAX / 2;
    this.groups = this.groups.slice(dropped);
    this.rows = this.rows.slice(dropped);
    this.first += dropped;
  }

  /** Whether this change and all after it are still known. */
  knows(number: number): boolean {
    return number >= this.first;
  }

  groupAt(number: number): LeafGroup {
    return this.groups[number - this.first] as LeafGroup;
  }

  /** The row that changed, came or went. */
  rowAt(number: number): number {
    return this.rows[number - this.first] as number;
  }

  /** Changes since that one, oldest first; undefined when that is no longer known. */
  since(number: number): readonly Change[] | undefined {
    if (number < this.first) return undefined;
    const groups = this.groups.slice(number - this.first);
    return this.rows.slice(number - this.first).map((row, i) => {
      return { group: groups[i] as LeafGroup, row };
    });
  }
}
