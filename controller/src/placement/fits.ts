// What nodes offer to requests of one shape, found out once for all nodes that are alike in what it
// follows from. Knows no leaf group and no other node.
import type { NodeId } from "@railyard/lib/ids";
import type { NodeFacts } from "./facts.js";
import type { PlacementRequest } from "./fleet.js";
import type { Make } from "./make.js";
import { type Fitting, fittingOf } from "./preferences.js";
import { fitsApart } from "./rules.js";

/** Nodes that differ; beyond it all are found out again. */
const KNOWN_MAX = 8_192;

type ByHealthy = Map<number, Fitting | undefined>;

export class Fits {
  private readonly known = new Map<Make, Map<number, ByHealthy>>();
  private size = 0;

  constructor(private readonly request: PlacementRequest) {}

  /** As `fitting` says of the request with these nodes excluded. */
  of(node: NodeFacts, exclude: readonly NodeId[]): Fitting | undefined {
    if (!fitsApart(node, this.request)) return undefined;
    if (exclude.length > 0 && exclude.includes(node.nodeId)) return undefined;
    const alike = this.alike(node);
    const known = alike.get(node.healthy);
    if (known !== undefined || alike.has(node.healthy)) return known;
    const made = fittingOf(node, this.request);
    alike.set(node.healthy, made);
    this.size += 1;
    if (this.size > KNOWN_MAX) this.forget();
    return made;
  }

  /** By the pairs that are healthy, those of the same make with the same pairs free. */
  private alike({ make, free }: NodeFacts): ByHealthy {
    const byFree = this.known.get(make) ?? new Map<number, ByHealthy>();
    if (byFree.size === 0) this.known.set(make, byFree);
    const alike = byFree.get(free) ?? new Map<number, Fitting | undefined>();
    if (alike.size === 0) byFree.set(free, alike);
    return alike;
  }

  private forget(): void {
    this.known.clear();
    this.size = 0;
  }
}
