// What would happen if shapes were placed one after another, for operators: on a copy of the fleet
// that nobody else sees. Writes nothing.
import { invalidField } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import { Faults } from "../domain/faults.js";
import { Simulation } from "../placement/simulate.js";
import type { ReadTx } from "../store/contract.js";
import { type AccountShape, type Asked, askedShape } from "./asked.js";
import type { ServiceContext } from "./context.js";
import { Crowds, withTaken } from "./crowds.js";
import {
  answered,
  type Explained,
  type ExplainedView,
  explainedView,
  lookedAt,
} from "./explain.js";
import { fleetOf } from "./fleet.js";
import { messagesIn } from "./tenant.js";

/** Most nodes looked at for all shapes together: each shape looks at every node. */
const LOOKS_MAX = 1_000_000;

export interface SimulationWish {
  /** Placed in this order. */
  readonly shapes: readonly AccountShape[];
  /** Declared names of nodes that are to be thought away. */
  readonly withoutNodes: readonly string[];
  readonly seed: bigint;
}

/** One explanation for each shape; throws every bad field of a shape at once. */
export async function simulatePlacement(
  ctx: ServiceContext,
  wish: SimulationWish,
): Promise<readonly ExplainedView[]> {
  const { simulation, asks } = await ctx.store.read((tx) => prepare(tx, ctx, wish));
  const found: Explained[] = [];
  let taken: ReadonlyMap<NodeId, number> = new Map();
  for (const { ask, each } of asks) {
    const { explanation, changes } = await ctx.store.read((tx) => {
      const crowds = new Crowds(messagesIn(tx), ctx, { each, taken });
      return answered(crowds, ask, (asked) => lookedAt(simulation.present, asked, UNCHANGED));
    });
    const { trial } = explanation;
    if (trial.fits) {
      simulation.keep(trial.members, ask);
      taken = withTaken(taken, trial.members, each);
    }
    found.push({ ask, explanation, changes });
    // Each looks at every node; others have their turn between two.
    await new Promise(setImmediate);
  }
  return ctx.store.read(async (tx) => {
    const views: ExplainedView[] = [];
    for (const one of found) views.push(await explainedView(tx, ctx, one));
    return views;
  });
}

/** Neither holds nor nodes are thought away or added. */
const UNCHANGED = { holds: [], another: undefined };

async function prepare(
  tx: ReadTx,
  ctx: ServiceContext,
  { shapes, withoutNodes, seed }: SimulationWish,
): Promise<{ readonly simulation: Simulation; readonly asks: readonly Asked[] }> {
  const { size } = await fleetOf(tx, ctx);
  if (shapes.length * size > LOOKS_MAX) {
    const most = Math.floor(LOOKS_MAX / size);
    throw invalidField("shapes", `at most ${most} at once in a fleet of ${size} nodes`);
  }
  const without = await idsOf(tx, withoutNodes);
  const asks: Asked[] = [];
  for (const [i, shape] of shapes.entries()) {
    const faults = new Faults(`shapes[${i}].`);
    asks.push(await askedShape(tx, ctx, { ...shape, faults, seed: `${seed}/${i}` }));
  }
  // The copy is made here: what changes from now on is not in it.
  return { simulation: new Simulation(await fleetOf(tx, ctx), without), asks };
}

/** Throws `invalid` for names of no node. */
async function idsOf(tx: ReadTx, names: readonly string[]): Promise<readonly NodeId[]> {
  const ids: NodeId[] = [];
  for (const [i, name] of names.entries()) {
    const node = await tx.nodes.byName(name);
    if (!node || node.retired) {
      throw invalidField(`without_nodes[${i}]`, `no server called ${name} is declared`);
    }
    ids.push(node.id);
  }
  return ids;
}
