// Tells listeners which objects a transaction touches: at the moment it does, and again when that
// is undone. What a listener derived from such an object is out of date each time it is told.
// Knows no object's meaning.
import type { ChangeEntry } from "./contract.js";

export interface Touch extends Pick<ChangeEntry, "kind" | "id"> {
  /** The object's row as it is now, where whoever wrote it had it at hand. */
  readonly row?: object | undefined;
}

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
    // One by one: there may be more of them than a call takes arguments.
    for (const touch of this.part) this.batch.push(touch);
    this.part = [];
  }

  partUndone(): void {
    const undone = this.part;
    this.part = [];
    this.tellUndone(undone);
  }

  batchDone(): void {
    this.batch = [];
  }

  batchUndone(): void {
    const undone = this.batch;
    this.batch = [];
    this.tellUndone(undone);
  }

  private tellUndone(touches: readonly Touch[]): void {
    for (const { kind, id } of touches) this.tell({ kind, id });
  }

  private tell(touch: Touch): void {
    for (const listener of this.listeners) listener(touch);
  }
}
