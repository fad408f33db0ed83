// An instance described in YAML: a CreateInstanceRequest, checked for fields that the contract does
// not know, since a misspelt field must not be dropped in silence.
import { type FieldViolation, invalid } from "@railyard/lib/errors";
import { CreateInstanceRequest } from "@railyard/proto/gen/railyard/v1/instance";

/** The request that `value` describes; throws `invalid` naming every unknown field. */
export function requestOf(value: unknown): CreateInstanceRequest {
  if (!isRecord(value)) throw invalid([{ field: "name", description: "must be in a mapping" }]);
  const request = CreateInstanceRequest.fromJSON(value);
  const unknown = unknownFields(value, CreateInstanceRequest.toJSON(request), "");
  if (unknown.length > 0) throw invalid(unknown);
  return request;
}

type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// What the contract knows comes back from a round trip; zeros and empty values do not.
function unknownFields(given: unknown, kept: unknown, path: string): FieldViolation[] {
  if (Array.isArray(given)) {
    const items = Array.isArray(kept) ? kept : [];
    return given.flatMap((item, i) => unknownFields(item, items[i], `${path}[${i}]`));
  }
  if (!isRecord(given)) {
    const lost = kept === undefined && !isDefault(given);
    return lost ? [{ field: path, description: "is not a known field or value" }] : [];
  }
  const fields = isRecord(kept) ? kept : {};
  return Object.entries(given).flatMap(([key, value]) =>
    unknownFields(value, fields[camel(key)], path ? `${path}.${key}` : key),
  );
}

function isDefault(value: unknown): boolean {
  return value === null || value === "" || value === 0 || value === false;
}

function camel(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
