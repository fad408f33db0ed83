// What the creator of an instance asks for, checked against profiles and the catalog: everything
// but the cluster network attachments, which are in instance-attachments.ts.
import { newMac } from "@railyard/lib/address";
import { newId } from "@railyard/lib/ids";
import type { CatalogItem } from "../domain/catalog-item.js";
import type { Faults } from "../domain/faults.js";
import { type InstanceSpec, USER_DATA_BYTES_MAX, type VpcNic } from "../domain/instance.js";
import type { InstanceProfile } from "../domain/profile.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import { checkNewName, fillNames } from "./naming.js";
import { lookUp, type TemplateCheck } from "./template-check.js";
import { checkVolumes } from "./volume.js";

export interface NicWish {
  readonly subnetId: string;
  /** Empty: four random words. */
  readonly name: string;
}

export interface TemplateWish {
  readonly zone: string;
  readonly profile: string;
  readonly imageId: string;
  readonly primaryNetworkAttachment: NicWish | undefined;
  readonly networkAttachments: readonly NicWish[];
  /** Empty: the VPC of the primary attachment's subnet. */
  readonly vpcId: string;
  /** Empty: local disk. */
  readonly bootVolumeId: string;
  readonly volumeIds: readonly string[];
  readonly keyIds: readonly string[];
  /** Plain text. */
  readonly userData: string;
  readonly metadataService: InstanceSpec["metadataService"];
  readonly hostFailure: InstanceSpec["hostFailure"];
  readonly placementTargetId: string;
}

/** What of a template was found. All of it is there when no fault was added. */
export interface ResolvedTemplate {
  readonly profile: InstanceProfile | undefined;
  readonly zone: string | undefined;
  readonly vpcId: string | undefined;
  readonly spec: InstanceSpec | undefined;
}

/** Adds a fault for everything wrong. Nothing is compared with what was not found. */
export async function resolveTemplate(check: TemplateCheck): Promise<ResolvedTemplate> {
  const { tx, faults, wish } = check;
  const profile = await tx.profiles.instance(wish.profile);
  if (!profile) faults.missing("template.profile", RESOURCE_TYPE.instanceProfile, wish.profile);
  const zone = (await tx.zones.all()).find(({ name }) => name === wish.zone)?.name;
  if (!zone) faults.missing("template.zone", RESOURCE_TYPE.zone, wish.zone);
  await lookUp(check, { kind: "image", id: wish.imageId, field: "image_id" });
  for (const [i, id] of wish.keyIds.entries()) {
    await lookUp(check, { kind: "key", id, field: `key_ids[${i}]` });
  }
  const { vpcId, list } = await resolveNics(check, zone);
  const bootVolume = await checkVolumes(check, zone);
  if (Buffer.byteLength(wish.userData) > USER_DATA_BYTES_MAX) {
    faults.invalid("template.user_data", `must not exceed ${USER_DATA_BYTES_MAX} bytes`);
  }
  if (wish.placementTargetId !== "") {
    const field = "template.placement_target_id";
    faults.missing(field, RESOURCE_TYPE.placementTarget, wish.placementTargetId);
  }
  const [primary, ...further] = list;
  if (!primary) return { profile, zone, vpcId, spec: undefined };
  const { imageId, volumeIds, keyIds, metadataService, hostFailure } = wish;
  const userData = Buffer.from(wish.userData).toString("base64");
  const same = { imageId, volumeIds, keyIds, metadataService, hostFailure, placementTarget: "" };
  const net = { primaryNetworkAttachment: primary, networkAttachments: further };
  return { profile, zone, vpcId, spec: { bootVolume, ...same, ...net, userData } };
}

async function resolveNics(
  check: TemplateCheck,
  zone: string | undefined,
): Promise<{ readonly vpcId: string | undefined; readonly list: readonly VpcNic[] }> {
  const { wish, faults, rng } = check;
  const primary = wish.primaryNetworkAttachment;
  if (!primary) faults.invalid("template.primary_network_attachment", "is required");
  const wanted = [
    ...(primary ? [{ path: "primary_network_attachment", ...primary }] : []),
    ...wish.networkAttachments.map((nic, i) => ({ path: `network_attachments[${i}]`, ...nic })),
  ];
  const vpc = wish.vpcId && (await lookUp(check, { kind: "vpc", id: wish.vpcId, field: "vpc_id" }));
  let vpcId = vpc ? vpc.id : undefined;
  const given = new Set<string>();
  const taken = (name: string) => Promise.resolve(given.size === given.add(name).size);
  const names = fillNames(
    wanted.map(({ name }) => name),
    check,
  );
  const list: VpcNic[] = [];
  for (const [i, { subnetId, name: wished, path }] of wanted.entries()) {
    const field = `${path}.subnet_id`;
    const subnet = await lookUp(check, { kind: "vpcSubnet", id: subnetId, field });
    // Without a VPC of its own the instance is in that of its primary attachment.
    if (wish.vpcId === "" && path === "primary_network_attachment") vpcId = subnet?.vpcId;
    if (subnet) checkVpcSubnet(faults, subnet, { vpcId, zone, field: `template.${field}` });
    const named = { field: `template.${path}.name`, name: wished, taken };
    if (wished !== "") await checkNewName(faults, named);
    const name = names[i] ?? wished;
    list.push({ id: newId("networkAttachment", check), name, subnetId, mac: newMac(rng) });
  }
  return { vpcId, list };
}

function checkVpcSubnet(
  faults: Faults,
  subnet: Extract<CatalogItem, { kind: "vpcSubnet" }>,
  wanted: {
    readonly vpcId: string | undefined;
    readonly zone: string | undefined;
    readonly field: string;
  },
): void {
  const { vpcId, zone, field } = wanted;
  const reason = "CATALOG_REFERENCE_MISMATCH";
  if (vpcId && subnet.vpcId !== vpcId) {
    faults.invalid(field, `the VPC subnet belongs to VPC ${subnet.vpcId}, not ${vpcId}`, reason);
  }
  if (zone && subnet.zone !== zone) {
    faults.invalid(field, `the VPC subnet is in zone ${subnet.zone}, not ${zone}`, reason);
  }
}
