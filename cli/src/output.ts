// Prints answers on stdout as a table, JSON or YAML. It knows how objects are shown, not what they
// are.
import { stringify } from "yaml";
import { type Column, recordLines, type TableStyle, tableLines } from "./table.js";

export const FORMATS = ["table", "json", "yaml"] as const;
export type Format = (typeof FORMATS)[number];
/** What a few verbs print besides; the others refuse it. */
export const OWN_FORMATS = ["nccl", "qemu"] as const;
export type OwnFormat = (typeof OWN_FORMATS)[number];

/** Whether a format is one that only a few verbs have. */
export function isOwnFormat(format: Format | OwnFormat): format is OwnFormat {
  return OWN_FORMATS.some((own) => own === format);
}

/** How one kind of object is shown. */
export interface View<T> {
  /** Columns of a list, first lines of a single object. */
  readonly columns: readonly Column<T>[];
  /** What only a single object shows. */
  readonly details?: readonly Column<T>[];
  /** The object as proto JSON. */
  readonly json: (item: T) => unknown;
}

/** What happened to an object; the revision is absent for what was there before. */
export interface Change<T> {
  readonly operation: string;
  readonly item: T;
  readonly revision: bigint | undefined;
}

/** Width of the longest operation. */
const CHANGE_WIDTH = 7;

export interface OutputOptions {
  readonly format: Format;
  readonly style: TableStyle;
  readonly write: (text: string) => void;
}

export class Output {
  constructor(private readonly options: OutputOptions) {}

  get format(): Format {
    return this.options.format;
  }

  /** A list: rows for people, an array for programs. */
  many<T>(view: View<T>, items: readonly T[]): void {
    if (this.format !== "table") this.data(items.map(view.json));
    else this.lines(tableLines(view.columns, items, this.options.style));
  }

  /** One object: a line for each field, or the object itself. */
  one<T>(view: View<T>, item: T): void {
    const columns = [...view.columns, ...(view.details ?? [])];
    if (this.format !== "table") this.data(view.json(item));
    else this.lines(recordLines(columns, item, this.options.style));
  }

  /** One line for a change of an object: JSON for programs, one YAML document, or cells. */
  change<T>(view: View<T>, { operation, item, revision }: Change<T>): void {
    const said = { operation, ...(revision !== undefined && { revision: `${revision}` }) };
    if (this.format === "json") {
      this.lines([JSON.stringify({ ...said, object: view.json(item) })]);
    } else if (this.format === "yaml") {
      this.lines(["---", stringify({ ...said, object: view.json(item) }).trimEnd()]);
    } else {
      const how: Column<T> = { title: "CHANGE", cell: () => operation.padEnd(CHANGE_WIDTH) };
      this.lines(tableLines([how, ...view.columns], [item], this.options.style).slice(1));
    }
  }

  /** A value for programs, in the chosen format; YAML when that is a table. */
  data(value: unknown): void {
    const text = this.format === "json" ? JSON.stringify(value, undefined, 2) : stringify(value);
    this.lines([text.trimEnd()]);
  }

  /** Plain lines. */
  lines(lines: readonly string[]): void {
    for (const line of lines) this.options.write(`${line}\n`);
  }
}
