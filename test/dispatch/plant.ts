// An instance with eight attachments, written straight into the store and placed: what dispatch
// needs, without the tenants' calls.
import { type Attachment, UNSEEN } from "@railyard/controller/domain/attachment";
import { intendedFacts } from "@railyard/controller/domain/desired";
import type { Instance } from "@railyard/controller/domain/instance";
import { refusal } from "@railyard/controller/placement/place";
import { desiredNode } from "@railyard/controller/service/desired";
import { fleetOf } from "@railyard/controller/service/fleet";
import { placeInstance } from "@railyard/controller/service/placing";
import { messagesIn } from "@railyard/controller/service/tenant";
import type { AccountRows } from "@railyard/controller/store/contract";
import { factsDigest } from "@railyard/lib/attest";
import type { AccountId, InstanceId } from "@railyard/lib/ids";
import { InstancePhase, type Report } from "@railyard/proto/gen/railyard/agent/v1/agent";
import type { DispatchYard } from "./yard.js";

export const ACCOUNT = "acc-1" as AccountId;
export const INSTANCE = "ins-1" as InstanceId;

/** The instance is `starting` afterwards, on the node that is ready. */
export async function plant(of: DispatchYard): Promise<void> {
  const owned = { account: ACCOUNT, createdAt: 1, etag: "e" };
  const stable = { lifecycleState: "stable", lifecycleReasons: [] } as const;
  await of.write(async (tx) => {
    const [cluster] = await tx.physicalClusters.all();
    const isolationId = await tx.isolation.take(cluster!.id, "cn-1" as never);
    const mine = tx.account(ACCOUNT);
    const network = {
      ...owned,
      ...stable,
      id: "cn-1" as never,
      name: "n",
      profile: "hopper-1",
      vpcId: "vpc-research",
      zone: "us-east-3",
      resourceGroupId: "",
      prefix: { first: 0x0a000000, prefix: 9 },
      physicalClusterId: cluster!.id,
      isolation: { kind: "vlan" as const, id: isolationId! },
    };
    await mine.clusterNetworks.insert(network);
    const inNetwork = { ...owned, ...stable, clusterNetworkId: "cn-1" as never };
    const cidr = { first: 0x0a000000, prefix: 24 };
    const subnet = { ...inNetwork, id: "cns-1" as never, name: "s", cidr };
    await mine.subnets.insert({ ...subnet, availableCount: 251, rail: undefined });
    const profile = (await tx.profiles.instance("gx3d-152x1536-8h100"))!;
    const instance = { ...bareInstance(), ...owned, ...stable } as Instance;
    await mine.instances.insert(instance);
    await mine.quotas.take("instances", 1);
    await mine.quotas.take("reserved-ips", 8);
    const attachments = await plantAttachments(mine, inNetwork);
    const wish = { instance, profile, network, attachments, seed: "s", exclude: [] };
    const result = await placeInstance({ ...tx, ...messagesIn(tx) }, of.ctx, wish);
    if (!("placed" in result)) {
      throw new Error(JSON.stringify(refusal(await fleetOf(tx, of.ctx), result.refused)));
    }
    await mine.instances.update({ ...instance, placement: result.placed, status: "starting" });
  });
  of.relay.nudge();
  await of.pass();
}

type InNetwork = Omit<
  Attachment,
  "id" | "instanceId" | "interfaceId" | "name" | "position" | keyof typeof UNSEEN
>;

async function plantAttachments(mine: AccountRows, inNetwork: InNetwork): Promise<Attachment[]> {
  const attachments: Attachment[] = [];
  for (let position = 0; position < 8; position++) {
    const ids = { ip: `cnip-${position}`, iface: `cni-${position}`, cna: `cna-${position}` };
    const address = await mine.addresses.take("cns-1" as never);
    await mine.reservedIps.insert({
      ...inNetwork,
      id: ids.ip as never,
      name: ids.ip,
      subnetId: "cns-1" as never,
      address: address!,
      autoDelete: true,
      owner: "user",
      targetId: ids.iface as never,
    });
    await mine.interfaces.insert({
      ...inNetwork,
      id: ids.iface as never,
      name: ids.iface,
      subnetId: "cns-1" as never,
      mac: `02:00:00:00:00:0${position}`,
      primaryIpId: ids.ip as never,
      autoDelete: true,
      allowIpSpoofing: false,
      targetId: ids.cna as never,
    });
    const attachment: Attachment = {
      ...inNetwork,
      id: ids.cna as never,
      instanceId: INSTANCE,
      interfaceId: ids.iface as never,
      name: ids.cna,
      position,
      ...UNSEEN,
    };
    await mine.attachments.insert(attachment);
    attachments.push(attachment);
  }
  return attachments;
}

function bareInstance(): Partial<Instance> {
  const nic = { id: "vna-1" as never, name: "eth0", subnetId: "vsub-research-3", mac: "02:aa" };
  return {
    id: INSTANCE,
    name: "i",
    profile: "gx3d-152x1536-8h100",
    vpcId: "vpc-research",
    zone: "us-east-3",
    resourceGroupId: "",
    clusterNetworkId: "cn-1" as never,
    spec: {
      imageId: "img-ubuntu-24-04",
      bootVolume: { id: "vol-b", name: "boot", capacityGib: 100 },
      volumeIds: [],
      primaryNetworkAttachment: nic,
      networkAttachments: [],
      keyIds: ["key-ops"],
      userData: "",
      metadataService: { enabled: true, protocol: "http", hopLimit: 1 },
      hostFailure: "restart",
      placementTarget: "",
    },
    status: "pending",
    statusReasons: [],
    healthState: "inapplicable",
    healthReasons: [],
    startable: false,
    bootCount: 1,
    placement: undefined,
    previousNodeId: undefined,
    observedDigest: undefined,
    queuedActions: [],
  };
}

/** The digest that the store intends for the planted instance. */
export async function intended(of: DispatchYard): Promise<string> {
  const desired = await of.ctx.store.read(async (tx) =>
    desiredNode(tx, of.ctx.catalog, (await tx.nodes.get(of.nodeId))!),
  );
  return factsDigest(intendedFacts(desired.instances[0]!));
}

/** A report of the instance as present, with every position applied. */
export function presence(digest: string): Report["instances"] {
  const attachments = Array.from({ length: 8 }, (_, position) => {
    const guestPciAddress = `0000:1${position}:00.0`;
    const hostPciAddress = `0000:${position}0:00.1`;
    return { position, guestPciAddress, hostPciAddress, observation: 2 };
  });
  const phase = InstancePhase.INSTANCE_PHASE_PRESENT;
  const rest = { reason: "", devices: [], failedSteps: [] };
  return [{ instanceId: INSTANCE, phase, digest, attachments, ...rest }];
}
