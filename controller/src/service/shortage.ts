// Why a gang does not fit, in words that say nothing of machines. Every number in them comes from
// asking placement again without one of the limits.
import { type RailyardError, refuse } from "@railyard/lib/errors";
import type { ClusterNetwork } from "../domain/cluster-network.js";
import { type InstanceProfile, membersOn } from "../domain/profile.js";
import type { PlacementRequest } from "../placement/fleet.js";
import type { FleetIndex } from "../placement/fleet-index.js";
import { type GangRefusal, type GangRequest, placeGang } from "../placement/gang.js";
import { mostOf } from "../placement/gang-split.js";
import type { ServiceContext } from "./context.js";
import { fleetOf } from "./fleet.js";
import { fleetViewOf } from "./fleet-view.js";
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
  readonly gang: GangRequest;
  readonly refusal: GangRefusal;
}

/** What is short, how many fit, whether waiting can help. Its cost grows with the fleet. */
export async function shortageOf(
  tx: FleetReads,
  ctx: ServiceContext,
  refused: Refused,
): Promise<Shortage> {
  const { profile, network, gang, refusal } = refused;
  const fixed = network && (await tx.railSets.of(network.id, profile.name));
  const fleet = await fleetOf(tx, ctx);
  // Nodes that have room were left out for what else the members bring.
  const isTooMuch = placeGang(fleet, gang).fits;
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

const TOO_MUCH = "together they bring too much user data or too many keys to where there is room";

/** `exhausted` CAPACITY: nothing was written. */
export function refuseCapacity(
  { asked, fit, waitingCanHelp, shortfalls }: Shortage,
  { profile, gang: { member } }: Pick<Refused, "profile" | "gang">,
): RailyardError {
  const { gpu, vcpu, memoryGib } = profile;
  const gpus = gpu ? `, ${gpu.count} ${gpu.model} GPUs` : "";
  const what = asked === 1 ? "an instance" : `${asked} instances`;
  const why = shortfalls.map(({ message }) => `; ${message}`).join("");
  const text = `there is no room for ${what} of ${profile.name} in ${member.zone} just now${why}`;
  return refuse("exhausted", text, {
    reason: "CAPACITY",
    metadata: {
      shape: `${vcpu} vCPU, ${memoryGib} GiB${gpus}`,
      attachments: String(member.attachmentCount),
      asked: String(asked),
      fit: String(fit),
      waiting_can_help: String(waitingCanHelp),
      short: shortfalls.map(({ resource }) => resource).join(","),
    },
  });
}

function compactness({ fitCount, anywhere }: GangRefusal): readonly Shortfall[] {
  if (fitCount >= anywhere) return [];
  const message = `${anywhere} would fit, but only ${fitCount} as close together as asked`;
  return [{ resource: "compactness", message }];
}

type Limit = Exclude<CapacityResource, "gpu" | "compactness">;

/** Requests without one of the limits, and what may then be said. */
const WITHOUT: Readonly<
  Record<Limit, { readonly change: Partial<PlacementRequest>; readonly text: string }>
> = {
  compute: {
    change: { vcpu: 0, memoryMib: 0, diskGib: 0 },
    text: "would fit with more vCPUs, memory or disk beside the free GPUs",
  },
  "rail-set": {
    change: { rails: undefined },
    text: "would fit on other rails than those that the cluster network keeps to for this profile",
  },
  network: {
    change: { attachmentCount: 0, rails: undefined },
    text: "would fit without attachments to the same, working rails",
  },
};

function short(
  fleet: FleetIndex,
  { profile, gang, refusal }: Refused,
  isRailSetFixed: boolean,
): readonly Shortfall[] {
  const { gpu } = profile;
  const limits: Limit[] = [
    ...(gpu ? (["compute"] as const) : []),
    ...(isRailSetFixed ? (["rail-set"] as const) : []),
    ...(gang.member.attachmentCount > 0 ? (["network"] as const) : []),
  ];
  const found = limits.flatMap((resource): Shortfall[] => {
    const fit = roomFor(fleet, gang, WITHOUT[resource].change);
    if (fit <= refusal.anywhere) return [];
    return [{ resource, message: `${fit} ${WITHOUT[resource].text}` }];
  });
  const all = Object.assign({}, ...limits.map((limit) => WITHOUT[limit].change));
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
  return limits.map((resource) => ({
    resource,
    message: `${bare} ${WITHOUT[resource].text}, which is not all that is short`,
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

/** Whether all members would fit on the servers that are declared, whatever is taken or down. */
async function couldEverFit(
  tx: FleetReads,
  ctx: ServiceContext,
  { profile, gang }: Refused,
): Promise<boolean> {
  const { member, count, maxLeafGroups, segmentSize } = gang;
  const where = { zone: member.zone, cluster: member.physicalClusterId };
  const attached = member.attachmentCount > 0;
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
