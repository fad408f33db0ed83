// Flags of `railctl instance create` as a request. Pure: names of subnets and interfaces are looked
// up by functions that the caller passes in.
import { invalid, invalidField } from "@railyard/lib/errors";
import {
  type ClusterNetworkAttachmentPrototype,
  HostFailurePolicy,
  InstanceMetadataProtocol,
  type InstanceNetworkAttachmentPrototype,
  type InstanceTemplate,
} from "@railyard/proto/gen/railyard/v1/instance_template";
import { keyValues, wholeNumber } from "../flags.js";
import { enumValueOf } from "../words.js";

/** Flags that describe an instance. */
export interface TemplateFlags {
  readonly profile?: string;
  readonly zone?: string;
  readonly image?: string;
  readonly vpcSubnet?: string;
  readonly vpc?: string;
  readonly bootVolume?: string;
  readonly volume?: readonly string[];
  readonly key?: readonly string[];
  readonly networkAttachment?: readonly string[];
  readonly metadataEnabled?: boolean;
  readonly metadataProtocol?: string;
  readonly metadataHopLimit?: string;
  readonly hostFailure?: string;
  readonly resourceGroup?: string;
}

/** Flags that describe its cluster network attachments. */
export interface AttachFlags {
  readonly attach?: readonly string[];
  readonly attachmentsFrom?: string;
  readonly count?: string;
  readonly spread?: string;
}

/** The template without cluster network attachments; throws `invalid` naming a bad flag. */
export function templateOf(flags: TemplateFlags, userData: string): InstanceTemplate {
  const { hostFailure, zone = "", profile = "", image = "", vpcSubnet = "" } = flags;
  requireAll({ "--zone": zone, "--profile": profile, "--image": image, "--vpc-subnet": vpcSubnet });
  return {
    zone,
    profile,
    imageId: image,
    primaryNetworkAttachment: { subnetId: vpcSubnet, name: "" },
    networkAttachments: (flags.networkAttachment ?? []).map(networkAttachmentOf),
    vpcId: flags.vpc ?? "",
    bootVolumeId: flags.bootVolume ?? "",
    volumeIds: [...(flags.volume ?? [])],
    keyIds: [...(flags.key ?? [])],
    userData,
    metadataService: metadataOf(flags),
    availabilityPolicy:
      hostFailure === undefined
        ? undefined
        : { hostFailure: enumValueOf(HostFailurePolicy, hostFailure, "--host-failure") },
    placementTargetId: "",
    clusterNetworkAttachments: [],
    resourceGroupId: flags.resourceGroup ?? "",
  };
}

function requireAll(flags: Readonly<Record<string, string>>): void {
  const missing = Object.keys(flags).filter((flag) => flags[flag] === "");
  const description = "must be given (or describe the instance with -f)";
  if (missing.length > 0) throw invalid(missing.map((field) => ({ field, description })));
}

function networkAttachmentOf(text: string): InstanceNetworkAttachmentPrototype {
  const values = keyValues(text, "--network-attachment", ["subnet", "name"]);
  const subnetId = values.get("subnet");
  if (!subnetId) throw invalidField("--network-attachment", `"${text}" lacks subnet=ID`);
  return { subnetId, name: values.get("name") ?? "" };
}

/** What the flags say about the metadata service; undefined when nothing. */
export function metadataOf(flags: TemplateFlags): InstanceTemplate["metadataService"] {
  const { metadataEnabled, metadataProtocol, metadataHopLimit } = flags;
  if ((metadataEnabled ?? metadataProtocol ?? metadataHopLimit) === undefined) return undefined;
  const { INSTANCE_METADATA_PROTOCOL_UNSPECIFIED: unsaid } = InstanceMetadataProtocol;
  return {
    enabled: metadataEnabled ?? false,
    protocol:
      metadataProtocol === undefined
        ? unsaid
        : enumValueOf(InstanceMetadataProtocol, metadataProtocol, "--metadata-protocol"),
    hopLimit:
      metadataHopLimit === undefined ? 0 : wholeNumber(metadataHopLimit, "--metadata-hop-limit"),
  };
}

/** One attachment as typed, before names are looked up. */
export interface Attach {
  readonly on: "subnet" | "interface" | "reserved-ip";
  readonly text: string;
  readonly name: string;
  readonly address: string;
}

const ATTACH_KEYS = ["subnet", "interface", "reserved-ip", "name", "address"];
const SOURCES = ["subnet", "interface", "reserved-ip"] as const;
const ATTACHMENTS_MAX = 64;

/** The attachments in order of position; throws `invalid` naming a bad flag. */
export function attachesOf(flags: AttachFlags): Attach[] {
  const { attach = [], attachmentsFrom } = flags;
  if (attachmentsFrom === undefined) {
    if (flags.count ?? flags.spread) {
      throw invalidField("--count, --spread", "have no place without --attachments-from");
    }
    return attach.map(attachOf);
  }
  if (attach.length > 0) {
    throw invalidField("--attachments-from", "has no place beside --attach");
  }
  const subnets = attachmentsFrom.split(",").map((part) => part.trim().replace(/^subnet=/, ""));
  if (subnets.includes("")) throw invalidField("--attachments-from", "holds an empty subnet");
  const count = flags.count ? wholeNumber(flags.count, "--count") : subnets.length;
  return spread(subnets, count, flags.spread ?? "blocked").map(onSubnet);
}

function onSubnet(text: string): Attach {
  return { on: "subnet", text, name: "", address: "" };
}

function attachOf(text: string): Attach {
  const values = keyValues(text, "--attach", ATTACH_KEYS);
  const sources = SOURCES.filter((key) => values.has(key));
  const [on] = sources;
  if (on === undefined || sources.length > 1) {
    throw invalidField("--attach", `"${text}" must have one of ${SOURCES.join("=, ")}=`);
  }
  const address = values.get("address") ?? "";
  if (address && on !== "subnet") {
    throw invalidField("--attach", `"${text}": address goes with subnet= only`);
  }
  return { on, text: values.get(on) ?? "", name: values.get("name") ?? "", address };
}

/**
 * `count` positions over the items: `blocked` gives neighbours the same item (0,1→a 2,3→b …),
 * `round-robin` goes round (0→a 1→b …).
 */
export function spread(items: readonly string[], count: number, how: string): string[] {
  if (count < 1 || count > ATTACHMENTS_MAX) {
    throw invalidField("--count", `must be 1 to ${ATTACHMENTS_MAX}`);
  }
  if (how !== "blocked" && how !== "round-robin") {
    throw invalidField("--spread", "must be one of blocked, round-robin");
  }
  const index = (position: number) =>
    how === "blocked" ? Math.floor((position * items.length) / count) : position % items.length;
  return Array.from({ length: count }, (_, position) => items[index(position)] ?? "");
}

/** Finds the ids behind names. */
export interface Names {
  readonly subnet: (text: string) => Promise<string>;
  readonly interface: (text: string) => Promise<string>;
}

/** The attachments as the request holds them; each name is looked up once. */
export async function prototypesOf(
  attaches: readonly Attach[],
  names: Names,
): Promise<ClusterNetworkAttachmentPrototype[]> {
  const known = new Map<string, string>();
  const idOf = async ({ on, text }: Attach) => {
    if (on === "reserved-ip") return text;
    const key = `${on} ${text}`;
    const id = known.get(key) ?? (await names[on](text));
    known.set(key, id);
    return id;
  };
  const prototypes: ClusterNetworkAttachmentPrototype[] = [];
  for (const attach of attaches) prototypes.push(prototypeOf(attach, await idOf(attach)));
  return prototypes;
}

function prototypeOf({ on, name, address }: Attach, id: string): ClusterNetworkAttachmentPrototype {
  if (on === "interface") return { name, interface: { $case: "interfaceId", value: id } };
  const made = { subnetId: "", primaryIp: undefined, name: "", allowIpSpoofing: false };
  const value =
    on === "subnet"
      ? { ...made, subnetId: id, primaryIp: address ? withAddress(address) : undefined }
      : { ...made, primaryIp: { source: { $case: "reservedIpId" as const, value: id } } };
  return { name, interface: { $case: "newInterface", value } };
}

function withAddress(address: string) {
  return { source: { $case: "reservedIp" as const, value: { address, name: "" } } };
}
