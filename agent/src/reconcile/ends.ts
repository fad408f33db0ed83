// Remembers how guests ended by themselves until they run again, so that it can be told for as long
// as it matters: the machine forgets once they are started. It knows no hardware.
import type { ObservedGuest } from "../model.js";

/** As many entries as guests were seen last. */
export class Ends {
  private readonly known = new Map<string, string>();

  /** In words for operators, by instance id; of guests that do not run again yet. */
  get byInstance(): ReadonlyMap<string, string> {
    return this.known;
  }

  /** Takes in what was seen; answers the ends that are new. */
  note(guests: readonly ObservedGuest[]): readonly string[] {
    const down = new Set(guests.filter((g) => !g.running).map((g) => g.instanceId));
    for (const id of this.known.keys()) if (!down.has(id)) this.known.delete(id);
    return guests.flatMap(({ instanceId, running, ended }) => {
      if (running || ended === undefined || this.known.get(instanceId) === ended) return [];
      this.known.set(instanceId, ended);
      return [instanceId];
    });
  }
}
