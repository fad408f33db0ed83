// What one node offers to a gang's members: how many places, at what breaking of blocks. Follows
// from little of a node, so nodes alike share what was found out once. Knows no other node.
import type { Cursor } from "./columns.js";
import type { Exceptions, PlacementRequest } from "./fleet.js";
import type { Make } from "./make.js";
import { broken } from "./preferences.js";
import { fitsApart, suits } from "./rules.js";

/** Rails of members that keep to none. */
const ANY_RAILS = 0;
/** More members than this never share a node, even if they ask for nothing at all. */
const SHARING_MAX = 4_000;
/** Stocks that nodes alike share; beyond it they are found out again. */
const KNOWN_MAX = 8_192;

/** Places on one set of rails, alike in the block that each breaks up. */
export interface Offer {
  /** The set of rails, bit r for rail r; ANY_RAILS for members without attachments. */
  readonly rails: number;
  /** Size of the free block around each; see `fitting` for members without GPUs. */
  readonly block: number;
  /** Whether the node offers nothing on these rails that breaks less. */
  readonly first: boolean;
  /** One place for each; no two share a pair. */
  readonly bundles: readonly number[];
  /** How often each may be taken: 1 where there are pairs to take. */
  readonly times: number;
}

/** All that a node offers; nodes alike have the same. */
export interface Stock {
  /** Another for each that differs. */
  readonly number: number;
  /** By rails, then what breaks least first. */
  readonly offers: readonly Offer[];
}

/** How many members the offer is good for. */
export function sizeOf({ bundles, times }: Pick<Offer, "bundles" | "times">): number {
  return bundles.length * times;
}

/**
 * Which offer is taken up before which: what breaks least first. All of that is taken before any
 * of the next, so a node that has some of both costs no further node; of the others those with the
 * most places. One number; the least comes first.
 */
export function orderOf(offer: Offer): number {
  return (offer.block * 2 + (offer.first ? 1 : 0)) * SHARING_MAX + (SHARING_MAX - sizeOf(offer));
}

/** What `orderOf` was made of. */
export function ofOrder(order: number): Pick<Offer, "block" | "first"> & { readonly size: number } {
  const breaking = Math.floor(order / SHARING_MAX);
  const size = SHARING_MAX - (order % SHARING_MAX);
  return { block: breaking >> 1, first: breaking % 2 === 1, size };
}

/** Stocks for members of one shape. */
export class Stocks {
  private readonly known = new Map<Make, Map<number, Map<number, Stock>>>();
  private size = 0;
  private made = 0;

  constructor(private readonly member: PlacementRequest) {}

  /** Of the node at the cursor; undefined when no member fits. */
  of(node: Cursor, except?: Exceptions): Stock | undefined {
    const { member } = this;
    if (!fitsApart(node, member) || except?.exclude.includes(node.nodeId)) return undefined;
    const { make, free, healthy } = node;
    const sameMake = entry(this.known, make, () => new Map<number, Map<number, Stock>>());
    const sameFree = entry(sameMake, free, () => new Map<number, Stock>());
    const well = member.attachmentCount > 0 ? healthy : 0;
    const most = Math.min(
      byAmounts(node, member),
      except?.crowded?.get(node.nodeId) ?? SHARING_MAX,
    );
    if (most <= 0) return undefined;
    const stock = entry(sameFree, well * SHARING_MAX + most, () => this.make(node, most));
    if (this.size > KNOWN_MAX) this.forget();
    return stock.offers.length > 0 ? stock : undefined;
  }

  private make(node: Cursor, most: number): Stock {
    this.size += 1;
    this.made += 1;
    return { number: this.made, offers: offersOf(node, this.member, most) };
  }

  private forget(): void {
    this.known.clear();
    this.size = 0;
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

interface Place {
  readonly rails: number;
  readonly block: number;
  readonly pairs: number;
}

function offersOf(node: Cursor, member: PlacementRequest, most: number): readonly Offer[] {
  if (member.gpuCount === 0) {
    const block = node.make.pairs !== 0 && node.free === node.make.pairs ? 1 : 0;
    return [{ rails: ANY_RAILS, block, first: true, bundles: [0], times: most }];
  }
  const offers: (Offer & { readonly bundles: number[] })[] = [];
  let left = most;
  for (const { rails, block, pairs } of placesOn(node, member)) {
    const last = offers.at(-1);
    const first = rails !== last?.rails;
    if (first) left = most;
    left -= 1;
    if (left < 0) continue;
    if (!first && block === last.block) last.bundles.push(pairs);
    else offers.push({ rails, block, first, bundles: [pairs], times: 1 });
  }
  return offers;
}

/** By rails, then what breaks least first. */
function placesOn(node: Cursor, member: PlacementRequest): readonly Place[] {
  const suiting = (node.make.bySize.get(member.gpuCount) ?? []).filter((bundle) =>
    suits(node, bundle, member),
  );
  return suiting
    .map((bundle): Place => {
      const rails = member.attachmentCount > 0 ? bundle.rails : ANY_RAILS;
      // Legal sets nest, so those of one size have nothing in common.
      return { rails, block: broken(node, bundle), pairs: bundle.pairs };
    })
    .sort((a, b) => a.rails - b.rails || a.block - b.block);
}

/** How many members the node's vCPUs, memory and disk are enough for. */
function byAmounts(node: Cursor, { vcpu, memoryMib, diskGib }: PlacementRequest): number {
  return Math.min(
    times(node.vcpu, vcpu),
    times(node.memoryMib, memoryMib),
    times(node.diskGib, diskGib),
    SHARING_MAX - 1,
  );
}

function times(free: number, each: number): number {
  return each === 0 ? SHARING_MAX : Math.floor(free / each);
}
