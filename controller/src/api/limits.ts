// Generic checks of requests, compiled once from the limits that the contract writes beside each
// field. Knows no noun: what a field means is checked by the use case.
import {
  createFileRegistry,
  type DescExtension,
  type DescField,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  getOption,
  hasOption,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { bug, invalid, RailyardError, Violations } from "@railyard/lib/errors";
import { FieldBehavior } from "@railyard/proto/gen/google/api/field_behavior";
import { Charset, FieldLimits } from "@railyard/proto/gen/railyard/v1/limits";
import { charsetProblem } from "./charset.js";

/** The `invalid` of a request with a list or map of more items than it may have. */
export class TooManyItems extends RailyardError {}

/**
 * Checks one decoded request; throws `invalid` naming every bad field at once, as TooManyItems when
 * that is among what is wrong.
 */
export type RequestCheck = (request: object) => void;

/** Checks one value that is set; adds what is wrong under `path`. */
type ValueCheck = (value: unknown, path: string, bad: Faults) => void;

/** What is wrong with one request. */
class Faults extends Violations {
  tooMany = false;

  override throwIfAny(): void {
    if (!this.tooMany) {
      super.throwIfAny();
      return;
    }
    const { code, message, parts } = invalid(this.fields);
    throw new TooManyItems(code, message, parts);
  }
}

interface FieldCheck {
  readonly name: string;
  readonly key: string;
  /** Property that holds the choice, when the field is a member of a oneof. */
  readonly choice: string | undefined;
  readonly explicit: boolean;
  readonly required: boolean;
  readonly check: ValueCheck;
  /** What is required inside a message that is missing itself; finds nothing for other fields. */
  readonly checkMissing: (path: string, bad: Faults) => void;
}

const EXPLICIT_PRESENCE = 1;
const TIMESTAMP = "google.protobuf.Timestamp";
/** Longest map key that is repeated in a field path. */
const SHOWN_KEY_MAX = 64;
/** Each path of a field mask: which ones there are, the use case knows. */
const MASK_PATH = FieldLimits.fromPartial({ maxLength: 128, charset: Charset.CHARSET_ANY });
/** Most items of one list that are looked at. */
const CHECKED_MAX = 4_096;

/** The limits of every message of one descriptor image. */
export class Limits {
  private readonly registry: FileRegistry;
  private readonly limits: DescExtension;
  private readonly behavior: DescExtension;
  private readonly compiled = new Map<string, readonly FieldCheck[]>();

  /** Throws `bug` when the image lacks the extensions that limits are written in. */
  constructor(image: Uint8Array) {
    this.registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
    this.limits = this.extension("railyard.v1.limits");
    this.behavior = this.extension("google.api.field_behavior");
  }

  /** The check of a method's requests; `service` is its full name. Unknown ones throw `bug`. */
  ofMethod(service: string, method: string): RequestCheck {
    const input = this.registry.getService(service)?.methods.find((m) => m.name === method)?.input;
    if (!input) throw bug(`the contract has no method ${service}/${method}`);
    const fields = this.fieldsOf(input);
    return (request) => {
      const bad = new Faults();
      checkFields(fields, request, { prefix: "", bad });
      bad.throwIfAny();
    };
  }

  private extension(name: string): DescExtension {
    const found = this.registry.getExtension(name);
    if (!found) throw bug(`the contract has no extension ${name}`);
    return found;
  }

  private fieldsOf(message: DescMessage): readonly FieldCheck[] {
    const known = this.compiled.get(message.typeName);
    if (known) return known;
    const fields: FieldCheck[] = [];
    this.compiled.set(message.typeName, fields);
    for (const field of message.fields) {
      const behaviors = this.behaviorsOf(field);
      const ignored = behaviors.includes(FieldBehavior.OUTPUT_ONLY);
      // A time that is none cannot even be encoded again, so it is refused where it is ignored too.
      if (ignored && field.message?.typeName !== TIMESTAMP) continue;
      fields.push({
        name: field.name,
        key: field.localName,
        choice: field.oneof?.localName,
        explicit: field.presence === EXPLICIT_PRESENCE,
        required: behaviors.includes(FieldBehavior.REQUIRED),
        check: this.valueCheck(field),
        checkMissing: this.missingCheck(field),
      });
    }
    return fields;
  }

  private behaviorsOf(field: DescField): readonly FieldBehavior[] {
    return getOption(field, this.behavior) as unknown as readonly FieldBehavior[];
  }

  private limitsOf(field: DescField): FieldLimits {
    if (!this.limits.message || !hasOption(field, this.limits)) return FieldLimits.fromPartial({});
    const value = getOption(field, this.limits) as unknown as Message;
    return FieldLimits.decode(toBinary(this.limits.message, value));
  }

  private valueCheck(field: DescField): ValueCheck {
    const limits = this.limitsOf(field);
    const one = this.oneCheck(field, limits);
    if (field.fieldKind === "list") return listCheck(limits, one);
    if (field.fieldKind === "map") return mapCheck(limits, one);
    return one;
  }

  private missingCheck(field: DescField): FieldCheck["checkMissing"] {
    if (field.fieldKind !== "message") return () => undefined;
    const fields = this.fieldsOf(field.message);
    return (path, bad) => checkFields(fields, {}, { prefix: `${path}.`, bad });
  }

  private oneCheck(field: DescField, limits: FieldLimits): ValueCheck {
    if (!field.message) return plainCheck(limits);
    switch (field.message.typeName) {
      case "google.protobuf.FieldMask":
        return listCheck(limits, plainCheck(MASK_PATH));
      case TIMESTAMP:
        return checkTime;
      case "google.protobuf.Duration":
        return durationCheck(limits);
    }
    const fields = this.fieldsOf(field.message);
    return (value, path, bad) => {
      checkFields(fields, value as object, { prefix: `${path}.`, bad });
    };
  }
}

function checkFields(
  fields: readonly FieldCheck[],
  message: object,
  into: { readonly prefix: string; readonly bad: Faults },
): void {
  for (const field of fields) {
    const value = valueIn(field, message as Readonly<Record<string, unknown>>);
    if (isSet(value, field)) field.check(value, into.prefix + field.name, into.bad);
    else if (field.required) {
      const path = into.prefix + field.name;
      into.bad.add(path, "must be set");
      field.checkMissing(path, into.bad);
    }
  }
}

function valueIn(field: FieldCheck, message: Readonly<Record<string, unknown>>): unknown {
  if (field.choice === undefined) return message[field.key];
  const choice = message[field.choice] as { $case: string; value: unknown } | undefined;
  return choice?.$case === field.key ? choice.value : undefined;
}

function isSet(value: unknown, { explicit, choice }: FieldCheck): boolean {
  if (value === undefined) return false;
  // A text that was chosen among others is meant, also when nothing is in it.
  if (value === "") return choice !== undefined;
  if (value === 0 || value === 0n || value === false) return explicit;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length > 0;
  return !(value instanceof Map) || value.size > 0;
}

function plainCheck(limits: FieldLimits): ValueCheck {
  const { maxLength, charset } = limits;
  return (value, path, bad) => {
    if (typeof value === "number" || typeof value === "bigint") {
      checkRange(limits, value, { path, bad });
    } else if (typeof value === "string") {
      if (maxLength > 0 && Buffer.byteLength(value) > maxLength) bad.add(path, tooLong(maxLength));
      else {
        const problem =
          charset === Charset.CHARSET_ANY ? undefined : charsetProblem(charset, value);
        if (problem) bad.add(path, problem);
      }
    } else if (value instanceof Uint8Array && maxLength > 0 && value.length > maxLength) {
      bad.add(path, tooLong(maxLength));
    }
  };
}

function tooLong(maxLength: number): string {
  return `must be at most ${maxLength} bytes long`;
}

function checkRange(
  limits: FieldLimits,
  value: number | bigint,
  at: { readonly path: string; readonly bad: Faults },
): void {
  const { minimum, maximum } = limits;
  if (minimum !== undefined && value < minimum) at.bad.add(at.path, `must be at least ${minimum}`);
  if (maximum !== undefined && value > maximum) at.bad.add(at.path, `must be at most ${maximum}`);
}

function listCheck(limits: FieldLimits, item: ValueCheck): ValueCheck {
  return (value, path, bad) => {
    const items = value as readonly unknown[];
    if (tooMany(limits, items.length)) {
      bad.tooMany = true;
      bad.add(path, `must have at most ${limits.maxItems} items`);
    }
    // Those beyond are named too: whoever shortens the list must know which of them to keep.
    for (const [i, one] of items.slice(0, CHECKED_MAX).entries()) item(one, `${path}[${i}]`, bad);
  };
}

function mapCheck(limits: FieldLimits, item: ValueCheck): ValueCheck {
  const key = plainCheck(limits);
  return (value, path, bad) => {
    const entries = [...(value as ReadonlyMap<unknown, unknown>)];
    if (tooMany(limits, entries.length)) {
      bad.tooMany = true;
      bad.add(path, `must have at most ${limits.maxItems} entries`);
    }
    for (const [name, one] of entries.slice(0, CHECKED_MAX)) {
      const at = `${path}[${String(name).slice(0, SHOWN_KEY_MAX)}]`;
      key(name, at, bad);
      item(one, at, bad);
    }
  };
}

function tooMany(limits: FieldLimits, count: number): boolean {
  return limits.maxItems > 0 && count > limits.maxItems;
}

function checkTime(value: unknown, path: string, bad: Faults): void {
  if (value instanceof Date && Number.isNaN(value.getTime())) bad.add(path, "must be a time");
}

function durationCheck(limits: FieldLimits): ValueCheck {
  return (value, path, bad) => {
    const { seconds, nanos } = value as { readonly seconds: bigint; readonly nanos: number };
    checkRange(limits, Number(seconds) + nanos / 1e9, { path, bad });
  };
}
