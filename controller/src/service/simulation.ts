// What would happen if shapes were placed one after another, for operators: on a copy of the fleet
// that nobody else sees. Writes nothing.
import { invalidField } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import { Faults } from "../domain/faults.js";
import { Simulation } from "../placement/simulate.js";
import type { ReadTx } from "../store/contract.js";
import { type AccountShape, type Asked, askedShape, findShape } from "./asked.js";
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
import type { ResolvedShape } from "./room-shape.js";
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

/** One explanation for each shape; throws every bad field at once. */
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
  const faults = new Faults();
  const without = await idsOf(tx, faults, withoutNodes);
  const found: (ResolvedShape | undefined)[] = [];
  for (const [i, shape] of shapes.entries()) {
    found.push(await findShape(tx, faults.below(`shapes[${i}].`), shape));
  }
  const asks: Asked[] = [];
  for (const [i, { account }] of shapes.entries()) {
    const of = { account, faults, found: found[i], seed: `${seed}/${i}` };
    asks.push(await askedShape(tx, ctx, of));
  }
  // The copy is made here: what changes from now on is not in it.
  return { simulation: new Simulation(await fleetOf(tx, ctx), without), asks };
}

/** Adds a fault for each name of no node. */
async function idsOf(
  tx: ReadTx,
  faults: Faults,
  names: readonly string[],
): Promise<readonly NodeId[]> {
  const ids: NodeId[] = [];
  for (const [i, name] of names.entries()) {
    const node = await tx.nodes.byName(name);
    if (node && !node.retired) ids.push(node.id);
    else faults.invalid(`without_nodes[${i}]`, `no server called ${name} is declared`);
  }
  return ids;
}
