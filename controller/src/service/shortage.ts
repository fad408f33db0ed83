// Why a gang does not fit, in words that say nothing of machines. Every number in them comes from
// asking placement again without one of the limits.
import { type RailyardError, refuse } from "@railyard/lib/errors";
import { maskOf } from "../domain/bundle.js";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import { type InstanceProfile, membersOn } from "../domain/profile.js";
import type { PlacementRequest } from "../placement/fleet.js";
import type { FleetIndex } from "../placement/fleet-index.js";
import { type GangRefusal, type GangRequest, placeGang } from "../placement/gang.js";
import { mostOf } from "../placement/gang-split.js";
import type { ServiceContext } from "./context.js";
import { fleetOf } from "./fleet.js";
import { fleetViewOf } from "./fleet-view.js";
import type { Unseated } from "./gang.js";
import type { FleetReads } from "./tenant.js";

export type CapacityResource = "gpu" | "compute" | "network" | "compactness" | "rail-set";

/** One thing that is short; the message is for the tenant. */
export interface Shortfall {
  readonly resource: CapacityResource;
  readonly message: string;
}

export interface Shortage {
  readonly asked: number;
  readonly fit: number;
  /** Whether all of it would fit if nothing else were there. */
  readonly waitingCanHelp: boolean;
  readonly shortfalls: readonly Shortfall[];
}

/** A gang that was refused, and what its members were to be. */
export interface Refused {
  readonly profile: InstanceProfile;
  readonly network: ClusterNetwork | undefined;
  readonly refusal: Unseated;
}

/** What is short, how many fit, whether waiting can help. Its cost grows with the fleet. */
export async function shortageOf(
  tx: FleetReads,
  ctx: ServiceContext,
  refused: Refused,
): Promise<Shortage> {
  const { profile, network, refusal } = refused;
  const { gang } = refusal;
  const fixed = network && (await tx.railSets.of(network.id, profile.name));
  const fleet = await fleetOf(tx, ctx);
  // Nodes that have room were left out for what else the members bring.
  const isTooMuch = placeGang(fleet, { ...gang, member: { ...gang.member, ...ANY_WORDS } }).fits;
  return {
    asked: gang.count,
    fit: refusal.fitCount,
    waitingCanHelp: await couldEverFit(tx, ctx, refused),
    shortfalls: isTooMuch
      ? [{ resource: "compute", message: TOO_MUCH }]
      : [
          ...compactness(refusal),
          ...(refusal.anywhere < gang.count ? short(fleet, refused, fixed !== undefined) : []),
        ],
  };
}

/** How long callers wait before they ask again for room that others have, milliseconds. */
const ROOM_MS = 30_000;
const TOO_MUCH = "together they bring too much user data or too many keys to where there is room";

/** `exhausted` CAPACITY: nothing was written. */
export function refuseCapacity(
  { asked, fit, waitingCanHelp, shortfalls }: Shortage,
  { profile, refusal }: Pick<Refused, "profile" | "refusal">,
): RailyardError {
  const { member } = refusal.gang;
  const { gpu, vcpu, memoryGib } = profile;
  const gpus = gpu ? `, ${gpu.count} ${gpu.model} GPUs` : "";
  const what = asked === 1 ? "an instance" : `${asked} instances`;
  const why = shortfalls.map(({ message }) => `; ${message}`).join("");
  const text = `there is no room for ${what} of ${profile.name} in ${member.zone} just now${why}`;
  return refuse("exhausted", text, {
    reason: "CAPACITY",
    ...(waitingCanHelp && { retryAfterMs: ROOM_MS }),
    metadata: {
      shape: `${vcpu} vCPU, ${memoryGib} GiB${gpus}`,
      attachments: String(member.attachmentCount),
      asked: String(asked),
      fit: String(fit),
      waiting_can_help: String(waitingCanHelp),
      short: [...new Set(shortfalls.map(({ resource }) => resource))].join(","),
    },
  });
}

function compactness({ fitCount, anywhere }: GangRefusal): readonly Shortfall[] {
  if (fitCount >= anywhere) return [];
  const message = `${anywhere} would fit, but only ${fitCount} as close together as asked`;
  return [{ resource: "compactness", message }];
}

const ANY_WORDS = { crowded: undefined };

/** A request without one of the limits, and what may then be said. */
interface Limit {
  readonly resource: Exclude<CapacityResource, "gpu" | "compactness">;
  readonly change: Partial<PlacementRequest>;
  readonly text: string;
}

const COMPUTE: Limit = {
  resource: "compute",
  change: { vcpu: 0, memoryMib: 0, diskGib: 0 },
  text: "would fit with more vCPUs, memory or disk beside the free GPUs",
};
const WORDS: Limit = {
  resource: "compute",
  change: ANY_WORDS,
  text: "would fit with less user data and fewer keys",
};
const RAIL_SET: Limit = {
  resource: "rail-set",
  change: { rails: undefined },
  text: "would fit on other rails than those that the cluster network keeps to for this profile",
};
const DECLARED: Limit = {
  resource: "rail-set",
  change: { usable: undefined },
  text: "would fit if the cluster network had subnets for other rails",
};
const NETWORK: Limit = {
  resource: "network",
  change: { attachmentCount: 0, rails: undefined, usable: undefined },
  text: "would fit without attachments to the same, working rails",
};

function short(
  fleet: FleetIndex,
  { profile, refusal }: Refused,
  isRailSetFixed: boolean,
): readonly Shortfall[] {
  const { gpu } = profile;
  const { gang } = refusal;
  const { usable, crowded, attachmentCount } = gang.member;
  const limits: Limit[] = [
    ...(gpu ? [COMPUTE] : []),
    ...(crowded ? [WORDS] : []),
    ...(isRailSetFixed ? [RAIL_SET] : []),
    ...(usable !== undefined ? [DECLARED] : []),
    ...(attachmentCount > 0 ? [NETWORK] : []),
  ];
  const found = limits.flatMap(({ resource, change, text }): Shortfall[] => {
    const fit = roomFor(fleet, gang, change);
    return fit > refusal.anywhere ? [{ resource, message: `${fit} ${text}` }] : [];
  });
  const all = Object.assign({}, ...limits.map(({ change }) => change));
  const bare = roomFor(fleet, gang, all);
  if (!gpu) {
    return [{ resource: "compute", message: "vCPUs, memory or disk are not free in that amount" }];
  }
  if (bare < gang.count) {
    const each = `${gpu.count} ${gpu.model} ${gpu.count === 1 ? "GPU" : "GPUs together"}`;
    const message = `each takes ${each}; these are free for ${bare} of ${gang.count}`;
    return [{ resource: "gpu", message }, ...found];
  }
  if (found.length > 0) return found;
  // No one limit alone is in the way: together they are.
  return limits.map(({ resource, text }) => ({
    resource,
    message: `${bare} ${text}, which is not all that is short`,
  }));
}

/** How many would fit anywhere with a changed request. */
function roomFor(
  fleet: FleetIndex,
  { member, count }: GangRequest,
  change: Partial<PlacementRequest>,
): number {
  const anywhere = { maxLeafGroups: undefined, segmentSize: undefined };
  const found = placeGang(fleet, { member: { ...member, ...change }, count, ...anywhere });
  return found.fits ? count : found.anywhere;
}

/** Whether any server has a set of GPUs on rails that the members can use at all. */
async function hasRails(
  tx: FleetReads,
  ctx: ServiceContext,
  {
    profile: { gpu },
    member,
  }: { readonly profile: InstanceProfile; readonly member: PlacementRequest },
): Promise<boolean> {
  const { zone, physicalClusterId: cluster, usable } = member;
  if (usable === undefined || !gpu || !cluster) return true;
  const sets = await fleetViewOf(ctx).railsOfSets(tx, { zone, cluster }, gpu);
  return sets.some((rails) => (maskOf(rails) & ~usable) === 0);
}

/** Whether all members would fit on the servers that are declared, whatever is taken or down. */
async function couldEverFit(
  tx: FleetReads,
  ctx: ServiceContext,
  { profile, refusal }: Refused,
): Promise<boolean> {
  const { member, count, maxLeafGroups, segmentSize } = refusal.gang;
  const where = { zone: member.zone, cluster: member.physicalClusterId };
  const attached = member.attachmentCount > 0;
  if (!(await hasRails(tx, ctx, { profile, member }))) return false;
  const rooms = await fleetViewOf(ctx).roomByGroup(tx, where, (kind) =>
    membersOn(kind, profile, attached),
  );
  const division = {
    count,
    segmentSize: Math.min(segmentSize ?? 1, count),
    maxParts: maxLeafGroups ?? Number.POSITIVE_INFINITY,
  };
  return (
    mostOf(
      rooms.map((capacity) => ({ capacity })),
      division,
    ) >= count
  );
}
