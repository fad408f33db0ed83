// Numbers the guest's PCI tree: one expander per NUMA node, below it the host's own switches as
// virtual ones, then the functions. It must not know what the functions are.
import type { Expander, GuestPort } from "../model/guest-bus.js";

/** First bus number of the first expander; the ones below belong to the guest's own root bus. */
const FIRST_BUS = 0x10;
/** A bus has no more. */
const SLOTS_MAX = 32;

/** A function that is to have a place. */
export interface Leaf {
  /** NUMA node of the host; -1 when unknown. */
  readonly numa: number;
  /** Host bridges above it, root first. */
  readonly path: readonly string[];
  /** What its 64-bit BARs take, bytes. */
  readonly bytes: number;
}

export interface Switch<L extends Leaf> {
  readonly children: (Switch<L> | L)[];
  readonly below: Map<string, Switch<L>>;
}

export interface Numbered {
  readonly expanders: readonly Expander[];
  readonly ports: readonly GuestPort[];
  /** Bus of each leaf, in the order given; the leaf is its only device. */
  readonly buses: readonly number[];
  /** Higher than 255 when there are not enough numbers. */
  readonly lastBus: number;
  /** Whether some bus has more devices than slots. */
  readonly crowded: boolean;
}

/**
 * The host's switches with the leaves below them, by NUMA node in ascending order; within a switch
 * everything is in the order given. A switch is told by its upstream port, which is every second
 * bridge of a path: root port, upstream, downstream, upstream, downstream.
 */
export function growTree<L extends Leaf>(leaves: readonly L[]): ReadonlyMap<number, Switch<L>> {
  const roots = new Map<number, Switch<L>>();
  for (const numa of [...new Set(leaves.map((l) => l.numa))].sort((a, b) => a - b)) {
    roots.set(numa, { children: [], below: new Map() });
  }
  for (const leaf of leaves) {
    let at = roots.get(leaf.numa);
    for (const upstream of leaf.path.filter((_, i) => i % 2 === 1)) {
      const next: Switch<L> = at?.below.get(upstream) ?? { children: [], below: new Map() };
      if (at && !at.below.has(upstream)) {
        at.below.set(upstream, next);
        at.children.push(next);
      }
      at = next;
    }
    at?.children.push(leaf);
  }
  return roots;
}

/** Whether a child of a switch is one itself. */
export function isSwitch<L extends Leaf>(child: Switch<L> | L): child is Switch<L> {
  return "children" in child;
}

/** Gives every bridge the numbers that firmware gives on its way down, slot by slot. */
export function numberTree<L extends Leaf>(
  tree: ReadonlyMap<number, Switch<L>>,
  leaves: readonly L[],
): Numbered {
  const expanders: Expander[] = [];
  const ports: GuestPort[] = [];
  const buses = new Map<L, number>();
  let next = FIRST_BUS;
  let crowded = false;
  const openBus = (kind: GuestPort["kind"], bus: number, slot: number): number => {
    const secondaryBus = next++;
    ports.push({ kind, bus, slot, secondaryBus });
    crowded ||= slot >= SLOTS_MAX;
    return secondaryBus;
  };
  const descend = ({ children }: Switch<L>, bus: number, kind: "root" | "downstream"): void => {
    for (const [slot, child] of children.entries()) {
      const behind = openBus(kind, bus, slot);
      if (isSwitch(child)) descend(child, openBus("upstream", behind, 0), "downstream");
      else buses.set(child, behind);
    }
  };
  let guestNuma = 0;
  for (const [numa, root] of tree) {
    const bus = next++;
    descend(root, bus, "root");
    const known = numa >= 0;
    expanders.push({ numa, guestNuma: known ? guestNuma++ : -1, bus, lastBus: next - 1 });
  }
  const inOrder = leaves.map((leaf) => buses.get(leaf) ?? 0);
  return { expanders, ports, buses: inOrder, lastBus: next - 1, crowded };
}
