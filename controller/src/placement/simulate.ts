// What would happen if one thing were placed after another: on a copy of the fleet, so that each
// finds what those before it left. Pure; neither the live index nor any store is touched.
import type { NodeId } from "@railyard/lib/ids";
import { type Explanation, explain } from "./explain.js";
import { FleetIndex } from "./fleet-index.js";
import { type Ask, roomFor, take } from "./trial.js";

/** A fleet that exists for one simulation. */
export class Simulation {
  private readonly fleet: FleetIndex;

  /** The fleet as it is now, without these nodes. */
  constructor(fleet: FleetIndex, without: readonly NodeId[]) {
    this.fleet = new FleetIndex(fleet);
    for (const id of without) this.fleet.delete(id);
  }

  /** Places it and keeps its place, or says why it does not fit and keeps nothing. */
  place(ask: Ask): Explanation {
    const explanation = explain(this.fleet, ask);
    const { trial } = explanation;
    for (const one of trial.fits ? trial.members : []) take(this.fleet, roomFor(one, ask));
    return explanation;
  }

  /** As it is now. */
  get present(): FleetIndex {
    return this.fleet;
  }
}
