// Every RPC of both listeners with its descriptor, read from the built contract image. Knows no RPC
// by name.
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescMethod,
  fromBinary,
  getOption,
  hasOption,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  ADMIN_SERVICES,
  type RpcDefinition,
  rpcsOf,
  TENANT_SERVICES,
} from "@railyard/controller/api/services";
import { FieldBehavior } from "@railyard/proto/gen/google/api/field_behavior";
import { FieldLimits } from "@railyard/proto/gen/railyard/v1/limits";
import { contractImage } from "@railyard/proto/image";

export interface DescribedRpc {
  readonly rpc: RpcDefinition;
  readonly descriptor: DescMethod;
  readonly listener: "tenant" | "admin";
}

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, contractImage()));
const limits = registry.getExtension("railyard.v1.limits")!;
const behavior = registry.getExtension("google.api.field_behavior")!;

/** Every RPC of the contract that a client can call. */
export const RPCS: readonly DescribedRpc[] = [
  ...TENANT_SERVICES.flatMap(rpcsOf).map((rpc) => described(rpc, "tenant")),
  ...ADMIN_SERVICES.flatMap(rpcsOf).map((rpc) => described(rpc, "admin")),
];

function described(rpc: RpcDefinition, listener: DescribedRpc["listener"]): DescribedRpc {
  const service = registry.getService(rpc.service);
  const descriptor = service?.methods.find(({ name }) => name === rpc.method);
  if (!descriptor) throw new Error(`${rpc.service}/${rpc.method} is not in the image`);
  return { rpc, descriptor, listener };
}

/** RPCs that the services of the image declare, for a look from the other side. */
export function declaredRpcs(): string[] {
  return [...registry.files]
    .filter(({ proto }) => /^railyard\.(v1|admin\.v1)$/.test(proto.package))
    .flatMap(({ services }) => services)
    .flatMap(({ typeName, methods }) => methods.map(({ name }) => `${typeName}/${name}`));
}

export function nameOf({ rpc }: DescribedRpc): string {
  return `${rpc.service}/${rpc.method}`;
}

export function limitsOf(field: DescField): FieldLimits {
  if (!limits.message || !hasOption(field, limits)) return FieldLimits.fromPartial({});
  return FieldLimits.decode(toBinary(limits.message, getOption(field, limits) as Message));
}

export function isRequired(field: DescField): boolean {
  const behaviors = getOption(field, behavior) as unknown as readonly FieldBehavior[];
  return behaviors.includes(FieldBehavior.REQUIRED);
}

/** `from` and every message of the project that it can carry. */
export function reachable(from: DescMessage, seen = new Set<DescMessage>()): Set<DescMessage> {
  if (seen.has(from) || from.typeName.startsWith("google.")) return seen;
  seen.add(from);
  for (const { message } of from.fields) if (message) reachable(message, seen);
  return seen;
}
