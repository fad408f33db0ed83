// Collects everything that is wrong with one request, whatever kind of wrong, and refuses once,
// naming every field. Knows no noun.
import { type ErrorCode, RailyardError, type ResourceRef } from "@railyard/lib/errors";

/** Kinds of fault; the first that occurs decides the error's code. */
const PRECEDENCE = ["invalid", "notFound", "exists", "precondition"] as const satisfies ErrorCode[];

export interface Fault {
  readonly code: (typeof PRECEDENCE)[number];
  /** Path in the request, in the contract's spelling. */
  readonly field: string;
  readonly description: string;
  readonly reason?: string;
  /** What the fault is about. */
  readonly resource?: ResourceRef;
  /** What stands in the way. */
  readonly holders?: readonly ResourceRef[];
}

export class Faults {
  constructor(
    private readonly within = "",
    private readonly found: Fault[] = [],
  ) {}

  /** For faults of what lies below `path`, such as `shapes[3].`: they are thrown with the rest. */
  below(path: string): Faults {
    return new Faults(this.within + path, this.found);
  }

  add(fault: Fault): void {
    this.found.push({ ...fault, field: this.within + fault.field });
  }

  /** A field whose value cannot be right. */
  invalid(field: string, description: string, reason?: string): void {
    this.add({ code: "invalid", field, description, ...(reason && { reason }) });
  }

  /** A field that names something which is not there, or not the caller's. */
  missing(field: string, type: string, id: string): void {
    const description = `${type} ${id} not found`;
    this.add({ code: "notFound", field, description, resource: { type, id } });
  }

  /** Throws one error with all fields, when there is a fault. */
  throwIfAny(): void {
    if (this.found.length === 0) return;
    const code = PRECEDENCE.find((c) => this.found.some((f) => f.code === c));
    if (!code) return;
    const leading = this.found.filter((f) => f.code === code);
    const reason = leading.every((f) => f.reason === leading[0]?.reason) && leading[0]?.reason;
    const holders = this.found.flatMap((f) => f.holders ?? []);
    const resource = leading.find((f) => f.resource)?.resource;
    const message =
      code === "invalid"
        ? this.found.map((f) => `${f.field}: ${f.description}`).join("; ")
        : (leading[0]?.description ?? "");
    throw new RailyardError(code, message, {
      fields: this.found.map(({ field, description }) => ({ field, description })),
      ...(reason && { reason }),
      ...(resource && { resource }),
      ...(holders.length > 0 && { holders }),
    });
  }
}
