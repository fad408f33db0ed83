// The least that makes a request of each RPC valid, encoded from its descriptor: required fields,
// and of each choice the member that needs least. What ids it names is the caller's to say.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type DescribedRpc, isRequired } from "./descriptors.js";

/** Values for fields, by field name; `id` by the noun that the RPC is about. */
export interface Names {
  readonly fields: Readonly<Record<string, string>>;
  readonly ids: Readonly<Record<string, string>>;
}

/** Nouns in names of RPCs, longer ones first. */
const NOUNS = [
  ...["ClusterNetworkSubnetReservedIp", "InstanceClusterNetworkAttachment"],
  ...["ClusterNetworkInterface", "ClusterNetworkSubnet", "PhysicalCluster", "ClusterNetwork"],
  ...["MzonePlan", "Instance", "Token", "Fault", "Node", "Hold"],
];

/** Not required by the contract, yet without one of them the call cannot be right. */
const NEEDED = new Set([
  ...[
    "CreateClusterNetworkInterfaceRequest.subnet_id",
    "ClusterNetworkInterfacePrototype.subnet_id",
  ],
  ...["CreateClusterNetworkSubnetRequest.total_ipv4_address_count", "ReservedIpPrototype.name"],
  ...["ClusterNetworkAttachmentPrototype.new_interface", "CreateTokenRequest.account"],
  ...["GetPlacedLayoutRequest.instance_id", "ExplainPlacementRequest.shape"],
  ...["ApplyMzoneRequest.document_json", "ConsoleOpen.instance_id", "AttachConsoleRequest.open"],
  ...["BatchCreateInstancesRequest.hold_id"],
]);

/** Fields whose name alone does not say what belongs there. */
const BY_PLACE: Readonly<Record<string, string>> = {
  "InstanceNetworkAttachmentPrototype.subnet_id": "vpc_subnet_id",
  "InstanceTemplate.profile": "instance_profile",
  "PlacementShape.instance_profile": "gpu_profile",
  "GetInstanceProfileRequest.name": "instance_profile",
  "GetClusterNetworkProfileRequest.name": "profile",
};

/** Fields that name an object of the caller's account. */
const OBJECT_FIELDS = new Set([
  ...["id", "cluster_network_id", "subnet_id", "instance_id", "hold_id"],
]);

/** Whether the RPC's request names an object of the caller's account. */
export function namesObject({ descriptor }: DescribedRpc): boolean {
  return descriptor.input.fields.some((field) => isNeeded(field) && OBJECT_FIELDS.has(field.name));
}

/** A valid request that writes nothing when its RPC can be told so. */
export function validRequest(rpc: DescribedRpc, names: Names): Uint8Array {
  return encode(rpc.descriptor.input, knownFields(rpc, names), true);
}

/** Values that belong in fields of the RPC's request, by field name. */
export function knownFields({ descriptor }: DescribedRpc, names: Names): Fields {
  const noun = NOUNS.find((one) => descriptor.name.includes(one)) ?? "";
  return { ...names.fields, id: names.ids[noun] ?? names.fields.id ?? "" };
}

type Fields = Readonly<Record<string, string>>;

function encode(message: DescMessage, fields: Fields, top = false): Uint8Array {
  const writer = new BinaryWriter();
  for (const field of message.fields) {
    if (field.name === "validate_only") writer.tag(field.number, WireType.Varint).bool(true);
    else if (isNeeded(field)) write(writer, field, { fields, top });
  }
  return writer.finish();
}

function isNeeded(field: DescField): boolean {
  return isRequired(field) || NEEDED.has(`${field.parent.name}.${field.name}`);
}

function write(
  writer: BinaryWriter,
  field: DescField,
  { fields, top }: { readonly fields: Fields; readonly top: boolean },
): void {
  if (field.message) {
    const { typeName, name } = field.message;
    const updated = top && field.parent.name === `Update${name}Request`;
    const bytes = updated ? renamed(field.message) : special(typeName);
    writer.tag(field.number, WireType.LengthDelimited);
    writer.bytes(bytes ?? encode(field.message, fields));
    return;
  }
  if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) {
    const place = `${field.parent.name}.${field.name}`;
    const text = fields[BY_PLACE[place] ?? field.name] ?? "one";
    writer.tag(field.number, WireType.LengthDelimited).bytes(Buffer.from(text));
  } else if (field.enum) {
    writer.tag(field.number, WireType.Varint).int32(Number(fields[field.name] ?? 1));
  } else {
    writer.tag(field.number, WireType.Varint).int64(Number(fields[field.name] ?? 8));
  }
}

/** The object of an update with nothing but a new name. */
function renamed(message: DescMessage): Uint8Array {
  const name = message.fields.find((field) => field.name === "name")!;
  return new BinaryWriter().tag(name.number, WireType.LengthDelimited).string("renamed").finish();
}

function special(typeName: string): Uint8Array | undefined {
  const writer = new BinaryWriter();
  if (typeName === "google.protobuf.FieldMask") {
    return writer.tag(1, WireType.LengthDelimited).string("name").finish();
  }
  if (typeName === "google.protobuf.Duration") {
    return writer.tag(1, WireType.Varint).int64(3600).finish();
  }
  return undefined;
}
