// Whether a fabric can be read, in words for operators: from the first look that failed until none
// has failed for a while, so that nobody is told of each turn. Knows neither the fabric nor what
// reads it.
import type { Clock } from "@railyard/lib/clock";
import type { Inventory } from "../model.js";

/** For how long looks must succeed to be believed. */
const CALM_MS = 60_000;

export class FabricDoubt {
  private standing: { readonly why: string; readonly failedAt: number } | undefined;

  constructor(private readonly clock: Clock) {}

  /** A look failed, wholly or for some ports. The first reason stands for those that follow. */
  note(why: string): void {
    const first = this.standing?.why ?? why;
    this.standing = { why: first, failedAt: this.clock.monotonic() };
  }

  /** The inventory as it is told: with a warning, `fabric-unread`, while there is doubt. */
  on(inventory: Inventory): Inventory {
    const isCalm = (at: number) => this.clock.monotonic() - at >= CALM_MS;
    if (this.standing && isCalm(this.standing.failedAt)) this.standing = undefined;
    if (!this.standing) return inventory;
    const message = `the fabric could not be read: ${this.standing.why}`;
    const doubt = { kind: "fabric-unread", deviceId: "", message };
    return { ...inventory, warnings: [...inventory.warnings, doubt] };
  }
}
