// What would happen if one thing were placed after another: on a copy of the fleet, so that each
// finds what those before it left. Pure; neither the live index nor any store is touched.
import type { NodeId } from "@railyard/lib/ids";
import { FleetIndex } from "./fleet-index.js";
import type { GangMember } from "./gang.js";
import { type Ask, roomFor, take } from "./trial.js";

/** A fleet that exists for one simulation. */
export class Simulation {
  private readonly fleet: FleetIndex;

  /** The fleet as it is now, without these nodes. */
  constructor(fleet: FleetIndex, without: readonly NodeId[]) {
    this.fleet = new FleetIndex(fleet);
    for (const id of without) this.fleet.delete(id);
  }

  /** These places are taken from now on. */
  keep(members: readonly GangMember[], ask: Ask): void {
    for (const one of members) take(this.fleet, roomFor(one, ask));
  }

  /** As it is now. */
  get present(): FleetIndex {
    return this.fleet;
  }
}
