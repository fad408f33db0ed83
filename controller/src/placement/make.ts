// What nodes of one make have in common: the shape of their hardware and the bundles that it
// allows. Computed once for each arrangement of rails and modules that exists, never for a request.
import { maskOf, sizeOf } from "../domain/bundle.js";
import type { FleetNode } from "./fleet.js";

/** A legal set of (GPU, NIC) pairs. */
export interface Bundle {
  /** Bit p is the node's pair p, in rail order. */
  readonly pairs: number;
  readonly size: number;
  /** Bit r is rail r. */
  readonly rails: number;
  /** Whether each pair is on a rail of its own. */
  readonly apart: boolean;
}

export interface Make {
  /** Name of the kind of hardware. */
  readonly hardware: string;
  readonly gpuModel: string;
  readonly gpuCount: number;
  readonly vfsPerNic: number;
  /** All pairs that the machine turned out to have. */
  readonly pairs: number;
  /** Sizes that are legal on such hardware, whatever pairs it turned out to have. */
  readonly sizes: ReadonlySet<number>;
  /** Largest first. */
  readonly bundles: readonly Bundle[];
  readonly bySize: ReadonlyMap<number, readonly Bundle[]>;
}

/** Pairs and rails with a higher number are in no bundle: masks have 32 bits. */
const BITS = 30;
/**
 * Arrangements that are told apart: kinds of hardware times what may be missing of each, with room
 * to spare. A machine that tells ever new ones must not push out what is known of the others.
 */
export const MAKES_MAX = 4_096;

/** Of nodes with one arrangement too many: they take what needs no GPU. */
const UNKNOWN: Make = {
  hardware: "",
  gpuModel: "",
  gpuCount: 0,
  vfsPerNic: 0,
  pairs: 0,
  sizes: new Set(),
  bundles: [],
  bySize: new Map(),
};

/** Makes by what they are made of; the same arrangement gives the same object. */
export class Makes {
  readonly all: Make[] = [UNKNOWN];
  /** Of the makes behind the first. */
  private readonly examples: FleetNode[] = [];

  /** The number of the node's make in `all`; there are few, so they are gone through. */
  numberOf(node: FleetNode): number {
    const known = this.examples.findIndex((example) => isAlike(example, node));
    if (known >= 0) return known + 1;
    if (this.all.length >= MAKES_MAX) return 0;
    this.examples.push(node);
    return this.all.push(makeOf(node)) - 1;
  }
}

function isAlike(a: FleetNode, b: FleetNode): boolean {
  const kinds = a.hardware === b.hardware && a.gpuModel === b.gpuModel;
  if (!kinds || a.gpuCount !== b.gpuCount || a.vfsPerNic !== b.vfsPerNic) return false;
  if (a.pairs.length !== b.pairs.length || a.legalSets.length !== b.legalSets.length) return false;
  for (const [p, { rail, module }] of a.pairs.entries()) {
    if (b.pairs[p]?.rail !== rail || b.pairs[p]?.module !== module) return false;
  }
  return a.legalSets === b.legalSets || a.legalSets.join() === b.legalSets.join();
}

function makeOf(node: FleetNode): Make {
  const { hardware, gpuModel, gpuCount, vfsPerNic, legalSets, pairs } = node;
  const usable = pairs.slice(0, BITS);
  const bundles = legalSets.flatMap((modules): Bundle[] => {
    const members = usable.flatMap(({ module }, p) => (modules & (1 << module) ? [p] : []));
    const rails = members.map((p) => usable[p]?.rail ?? 0);
    const size = sizeOf(modules);
    if (members.length !== size || rails.some((rail) => rail >= BITS)) return [];
    const apart = new Set(rails).size === size;
    return [{ pairs: maskOf(members), size, rails: maskOf(rails), apart }];
  });
  const sizes = new Set(legalSets.map(sizeOf));
  const bySize = new Map([...sizes].map((k) => [k, bundles.filter(({ size }) => size === k)]));
  const all = maskOf(usable.map((_, p) => p));
  return { hardware, gpuModel, gpuCount, vfsPerNic, pairs: all, sizes, bundles, bySize };
}
