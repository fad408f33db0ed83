// The index kept up to date over a long story of changes, against one made afresh from the nodes as
// they are: leaf groups larger than what has marks of its own, and states that run out of numbers.
import type { NodeId } from "@railyard/lib/ids";
import { type Rng, seededRng } from "@railyard/lib/rng";
import { expect, test } from "vitest";
import type { FleetNode, PlacementRequest } from "./fleet.js";
import { FleetIndex } from "./fleet-index.js";
import { choose } from "./place.js";
import { sampleNode, samplePairs, sampleRequest } from "./sample.js";
import { States } from "./states.js";

/** In use of a node: nothing, all, halves, quarters. */
const TAKEN = [0, 0, 0xff, 0x0f, 0xf0, 0x05, 0xaf];

/** One of a leaf group; it differs with `taken`, and with `vcpu` in how much else is free. */
function node(name: string, { taken, vcpu = 176 }: { taken: number; vcpu?: number }): FleetNode {
  const free = { vcpu, memoryMib: 1_000_000, diskGib: 0 };
  return sampleNode(name, {
    leafGroup: name.split("-")[0] ?? "",
    pairs: samplePairs(taken),
    free,
  });
}

/** Nodes by name, in an index that was told of each change and beside it. */
class Story {
  readonly nodes = new Map<string, FleetNode>();

  constructor(
    readonly rng: Rng,
    public index = new FleetIndex(),
  ) {}

  one<T>(of: readonly T[]): T {
    return of[this.rng.int(of.length)]!;
  }

  put(one: FleetNode): void {
    this.nodes.set(one.nodeId, one);
    this.index.put(one);
  }

  /** Another state of the node, told in one of both ways. */
  change(one: FleetNode): void {
    const { nodeId, free } = one;
    if (!this.nodes.has(nodeId) || this.rng.int(2) === 0) {
      this.put(one);
      return;
    }
    this.nodes.set(nodeId, one);
    const pairs = one.pairs.reduce((mask, pair) => mask | (pair.free ? 1 << pair.rail : 0), 0);
    this.index.adjust(nodeId, { free: pairs, ...free });
  }

  delete(name: string): void {
    this.nodes.delete(name);
    this.index.delete(name as NodeId);
  }

  /** Asks both, and what was made afresh in another order. */
  expectSame(wanted: PlacementRequest): void {
    const afresh = new FleetIndex();
    for (const one of [...this.nodes.values()].reverse()) afresh.put(one);
    expect(choose(this.index, wanted)).toEqual(choose(afresh, wanted));
  }
}

/** Names of so many nodes in each leaf group. */
function names(groups: Readonly<Record<string, number>>): string[] {
  return Object.entries(groups).flatMap(([group, size]) =>
    Array.from({ length: size }, (_, n) => `${group}-${n}`),
  );
}

test.each<Readonly<Record<string, number>>>([
  { su1: 1, su2: 12, su3: 20 },
  { su1: 33 },
  { su1: 80 },
  { su1: 70, su2: 40 },
])("nodes come, change, leave and are left out, in leaf groups of %o", (sizes) => {
  const story = new Story(seededRng(`fleet-index/${Object.values(sizes)}`));
  const { rng } = story;
  const all = names(sizes);
  for (let step = 0; step < 2_400; step++) {
    const name = story.one(all);
    if (rng.int(10) === 0) story.delete(name);
    else story.change(node(name, { taken: story.one(TAKEN) }));
    if (step === 1_200) story.index = new FleetIndex(story.index);
    if (step % 4 !== 0) continue;
    const exclude = rng.int(3) === 0 ? ([story.one(all), story.one(all)] as NodeId[]) : [];
    story.expectSame(sampleRequest(story.one([8, 4, 2, 1, 0]), { exclude, seed: `${step}` }));
  }
});

test("hardware with other blocks than any before is ranked among the others", () => {
  const story = new Story(seededRng("fleet-index/makes"));
  for (const name of names({ su1: 3, su2: 3 })) story.put(node(name, { taken: 0 }));
  story.expectSame(sampleRequest(2));
  const sixes = [0b111111, 0b110000, 0b001100, 0b000011];
  story.put({ ...node("su1-9", { taken: 0b11000000 }), hardware: "six", legalSets: sixes });
  for (const seed of ["1", "2", "3", "4"]) story.expectSame(sampleRequest(2, { seed }));
});

test("who was not asked for longer than changes are remembered looks at everything again", () => {
  const story = new Story(seededRng("fleet-index/far-behind"));
  const all = names({ su1: 20, su2: 20 });
  for (const name of all) story.put(node(name, { taken: 0xff }));
  story.expectSame(sampleRequest(8));
  story.put(node("su1-3", { taken: 0 }));
  for (let step = 0; step < 17_000; step++) {
    story.put(node("su2-1", { taken: TAKEN[(step % 2) + 2]! }));
  }
  story.expectSame(sampleRequest(8));
});

test("when states run out of numbers nothing known by the old ones is believed any more", () => {
  const numbers = new States(0, 60);
  const rng = seededRng("fleet-index/numbers");
  const story = new Story(rng, new FleetIndex(undefined, numbers));
  const all = names({ su1: 8, su2: 8, su3: 8 });
  let startedOver = 0;
  let last = 0;
  for (let step = 0; step < 3_000; step++) {
    story.change(node(story.one(all), { taken: story.one(TAKEN), vcpu: rng.int(40) }));
    const now = numbers.numberOf("a state that no node is in") ?? 0;
    if (now < last) startedOver += 1;
    last = now;
    if (step % 3 === 0)
      story.expectSame(sampleRequest(story.one([8, 4, 2]), { vcpu: 20, seed: `${step}` }));
  }
  expect(startedOver).toBeGreaterThan(10);
});
