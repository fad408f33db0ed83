// Tells listeners which objects a transaction touches: at the moment it does, and again when that
// is undone. What a listener derived from such an object is out of date each time it is told.
// Knows no object's meaning.
import type { ChangeEntry } from "./contract.js";

export type Touch = Pick<ChangeEntry, "kind" | "id">;

export class Touches {
  private readonly listeners: ((touch: Touch) => void)[] = [];
  /** Of the part that runs, and of the parts of its batch that are done. */
  private part: Touch[] = [];
  private batch: Touch[] = [];

  /** The listener must not throw. */
  listen(fn: (touch: Touch) => void): void {
    this.listeners.push(fn);
  }

  touched(touch: Touch): void {
    if (this.listeners.length === 0) return;
    this.part.push(touch);
    this.tell(touch);
  }

  partDone(): void {
    this.batch.push(...this.part);
    this.part = [];
  }

  partUndone(): void {
    const undone = this.part;
    this.part = [];
    for (const touch of undone) this.tell(touch);
  }

  batchDone(): void {
    this.batch = [];
  }

  batchUndone(): void {
    const undone = this.batch;
    this.batch = [];
    for (const touch of undone) this.tell(touch);
  }

  private tell(touch: Touch): void {
    for (const listener of this.listeners) listener(touch);
  }
}
