// Why something fits or not, for operators: placement's own answer, its counts by rule, and the
// small changes that were tried and help. Nothing is written, and no room is kept.
import type { AccountId, HoldId, InstanceId, NodeId } from "@railyard/lib/ids";
import { Faults } from "../domain/faults.js";
import { type Hold, isOver, memberIds } from "../domain/hold.js";
import {
  type Change,
  type Changeable,
  type HeldRooms,
  type Tried,
  tryChanges,
} from "../placement/changes.js";
import { type Explanation, explain, likeliest } from "../placement/explain.js";
import { type FleetNode, planOf } from "../placement/fleet.js";
import { FleetIndex } from "../placement/fleet-index.js";
import {
  type Ask,
  countOf,
  giveBack,
  memberOf,
  type Room,
  tryAsk,
  withMember,
} from "../placement/trial.js";
import type { ReadTx } from "../store/contract.js";
import {
  type AccountShape,
  type Asked,
  askedInstance,
  askedShape,
  findShape,
  roomOf,
} from "./asked.js";
import type { ServiceContext } from "./context.js";
import { Crowds } from "./crowds.js";
import { everyHold } from "./everything.js";
import { fleetOf } from "./fleet.js";
import { fleetViewOf } from "./fleet-view.js";
import { messagesIn } from "./tenant.js";

/** Most holds whose end is waited for, those that end first, and most members of them all. */
const HOLDS_MAX = 64;
const HELD_MEMBERS_MAX = 1_024;

export type ExplainSubject = { readonly instanceId: InstanceId } | AccountShape;

export interface ExplainedMember {
  readonly nodeId: NodeId;
  readonly leafGroup: string;
  /** In rail order. */
  readonly gpus: readonly string[];
}

export interface ExplainedView {
  /** How many were asked for. */
  readonly asked: number;
  /** How many of them fit now. */
  readonly fit: number;
  readonly explanation: Explanation;
  readonly members: readonly ExplainedMember[];
  /** The smallest first; none when it fits. */
  readonly changes: readonly Change[];
  /** Of every node that is spoken of. */
  readonly names: ReadonlyMap<NodeId, string>;
  /** Of every hold that is spoken of. */
  readonly holders: ReadonlyMap<HoldId, AccountId>;
}

/** Throws `notFound`; every bad field of a shape at once. */
export function explainPlacement(
  ctx: ServiceContext,
  subject: ExplainSubject,
): Promise<ExplainedView> {
  return ctx.store.read(async (tx) => {
    const { ask, own, ...brings } = await askedOf(tx, ctx, subject);
    let holds: readonly Hold[] = [];
    const crowds = new Crowds(messagesIn(tx), ctx, brings);
    const answer = await answered(crowds, ask, async (asked) => {
      const fits = tryAsk(freed(await fleetOf(tx, ctx), own), asked).fits;
      holds = fits ? [] : await firstToEnd(tx, ctx.clock.now());
      const held = await heldRooms(tx, ctx, holds);
      const another = fits ? undefined : await anotherNode(tx, ctx, ask);
      // From here on nothing is awaited until all is asked: it is one and the same fleet.
      const fleet = freed(await fleetOf(tx, ctx), own);
      return lookedAt(fleet, asked, { holds: held, another });
    });
    const holders = new Map(holds.map(({ id, account }) => [id, account]));
    return { ...(await explainedView(tx, ctx, { ask, ...answer })), holders };
  });
}

interface Looked {
  readonly explanation: Explanation;
  /** The changes that were tried and help; none when it fits. */
  readonly tried: readonly Tried[];
  /** What was looked at. */
  readonly fleet: FleetIndex;
}

/** The explanation of what the fleet has for it now, and the changes that would help. */
export function lookedAt(fleet: FleetIndex, ask: Ask, on: Changeable): Looked {
  const explanation = explain(fleet, ask);
  return { fleet, explanation, tried: explanation.trial.fits ? [] : tryChanges(fleet, ask, on) };
}

/**
 * Looks until every place, also those that changes would give, has room in its node's desired
 * state, as placing would; where that is given up, no more is said to fit than does.
 */
export async function answered(
  crowds: Crowds,
  ask: Ask,
  look: (asked: Ask) => Looked | Promise<Looked>,
): Promise<Pick<ExplainedView, "explanation" | "changes">> {
  const request = memberOf(ask);
  const wanted = countOf(ask);
  for (;;) {
    const { explanation, tried, fleet } = await look(withMember(ask, crowds.in(request)));
    const seated = explanation.trial.fits ? explanation.trial.members : [];
    const fit = await crowds.roomFor(seated);
    const good: Tried[] = [];
    for (const one of tried) {
      if ((await crowds.roomFor(one.members)) === one.members.length) good.push(one);
    }
    const isTrue = fit === seated.length && good.length === tried.length;
    if (!isTrue && (await crowds.mayAskAgain({ fleet, request, wanted }))) continue;
    const refused = { fits: false, fitCount: fit, anywhere: fit } as const;
    return {
      explanation: fit === seated.length ? explanation : { ...explanation, trial: refused },
      changes: good.map(({ change }) => change),
    };
  }
}

async function askedOf(tx: ReadTx, ctx: ServiceContext, subject: ExplainSubject): Promise<Asked> {
  if ("instanceId" in subject) return askedInstance(tx, ctx, subject.instanceId);
  const faults = new Faults("shape.");
  const found = await findShape(tx, faults, subject);
  return askedShape(tx, ctx, { account: subject.account, faults, found });
}

/** The fleet with these rooms free; the live one is left as it is. */
function freed(fleet: FleetIndex, rooms: readonly Room[]): FleetIndex {
  if (rooms.length === 0) return fleet;
  const copy = new FleetIndex(fleet);
  for (const room of rooms) giveBack(copy, room);
  return copy;
}

/** Living holds of all accounts, those that end first. */
async function firstToEnd(tx: ReadTx, at: number): Promise<readonly Hold[]> {
  const first: Hold[] = [];
  for await (const hold of everyHold(tx)) {
    if (isOver(hold, at)) continue;
    first.push(hold);
    if (first.length < 2 * HOLDS_MAX) continue;
    first.sort(byEnd);
    first.splice(HOLDS_MAX);
  }
  return first.sort(byEnd).slice(0, HOLDS_MAX);
}

function byEnd(a: Hold, b: Hold): number {
  return a.expiresAt - b.expiresAt;
}

async function heldRooms(
  tx: ReadTx,
  ctx: ServiceContext,
  holds: readonly Hold[],
): Promise<readonly HeldRooms[]> {
  const held: HeldRooms[] = [];
  let members = 0;
  for (const hold of holds) {
    const ids = memberIds(hold);
    members += ids.length;
    if (members > HELD_MEMBERS_MAX) return held;
    const rooms: Room[] = [];
    for (const id of ids) {
      const claim = await tx.claims.ofInstance(id);
      const room = claim && (await roomOf(tx, ctx, claim));
      if (room) rooms.push(room);
    }
    held.push({ holdId: hold.id, endsAt: hold.expiresAt, rooms });
  }
  return held;
}

/** A node like the largest that could take one of them, where most whole nodes are free. */
async function anotherNode(
  tx: ReadTx,
  ctx: ServiceContext,
  ask: Ask,
): Promise<FleetNode | undefined> {
  const like = likeliest(await fleetOf(tx, ctx), memberOf(ask));
  const node = like && (await fleetViewOf(ctx).node(tx, like));
  const kind = node && (await tx.hardware.get(node.hardware));
  if (!node || !kind) return undefined;
  const { vcpu, memoryGib, diskGib } = kind;
  return {
    ...{ ...node, eligible: true, leaseFresh: true, inventoryMatches: true },
    pairs: node.pairs.map((pair) => ({ ...pair, free: true, healthy: true })),
    free: { vcpu, memoryMib: memoryGib * 1024, diskGib },
  };
}

export interface Explained extends Pick<ExplainedView, "explanation" | "changes"> {
  readonly ask: Ask;
}

/** The same with the names that operators know nodes and devices by. */
export async function explainedView(
  tx: ReadTx,
  ctx: ServiceContext,
  { ask, ...of }: Explained,
): Promise<ExplainedView> {
  const { trial, removed, preferred, rejected } = of.explanation;
  const asked = countOf(ask);
  const members: ExplainedMember[] = [];
  for (const { leafGroup, ...choice } of trial.fits ? trial.members : []) {
    const node = await fleetViewOf(ctx).node(tx, choice.nodeId);
    const gpus = planOf(choice, node ?? { pairs: [] }).pairs.map(({ gpu }) => gpu);
    members.push({ nodeId: choice.nodeId, leafGroup: leafGroup.leafGroup, gpus });
  }
  const ids = [
    ...[...removed, ...preferred].flatMap(({ examples }) => examples),
    ...[...rejected, ...members].map(({ nodeId }) => nodeId),
    ...of.changes.flatMap((change) => (change.kind === "sick-rails" ? change.nodes : [])),
  ];
  const fit = trial.fits ? asked : trial.fitCount;
  return { ...of, asked, fit, members, names: await namesOf(tx, ids), holders: new Map() };
}

/** Declared names of these nodes. */
export async function namesOf(
  tx: ReadTx,
  ids: readonly NodeId[],
): Promise<ReadonlyMap<NodeId, string>> {
  const names = new Map<NodeId, string>();
  for (const id of new Set(ids)) {
    const node = await tx.nodes.get(id);
    if (node) names.set(id, node.name);
  }
  return names;
}
