// A YAML file that remembers where everything stands, so that an error about a field path can name
// file, line and column. It knows nothing of what the file declares.
import { type FieldViolation, invalid, invalidField } from "@railyard/lib/errors";
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";

type Document = ReturnType<typeof parseDocument>;

/** A parsed YAML file. */
export interface YamlSource {
  /** Plain data: what JSON can say. */
  readonly value: unknown;
  /** `FILE:LINE:COL` of the field at a path, or of the deepest holder that is there. */
  readonly place: (path: string) => string;
}

/** What came of parsing: the source, or every syntax error as `FILE:LINE:COL` and message. */
export type Parsed =
  | { readonly t: "ok"; readonly source: YamlSource }
  | { readonly t: "bad"; readonly problems: readonly FieldViolation[] };

/** Parses one YAML document; `file` is only named. */
export function parseYaml(file: string, text: string): Parsed {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (doc.errors.length > 0) {
    const problems = doc.errors.map(({ pos, message }) => ({
      field: placeOf(pos[0]),
      description: message,
    }));
    return { t: "bad", problems };
  }
  const place = (path: string) => placeOf(offsetOf(doc, segmentsOf(path)));
  return { t: "ok", source: { value: plainData(doc, file), place } };
}

/** The refusal for syntax errors. */
export function syntaxError(problems: readonly FieldViolation[]) {
  return invalid(problems);
}

function plainData(doc: Document, file: string): unknown {
  try {
    return doc.toJS();
  } catch (cause) {
    // Aliases that point nowhere or multiply without end.
    throw invalidField(file, cause instanceof Error ? cause.message : "cannot be read");
  }
}

const SEGMENT = /\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g;

/** `zones[0].servers[3].serial` as keys and indexes. */
export function segmentsOf(path: string): (string | number)[] {
  return [...path.matchAll(SEGMENT)].map(([, quoted, index, key]) =>
    index === undefined ? (quoted ?? key ?? "") : Number(index),
  );
}

function offsetOf(doc: Document, segments: readonly (string | number)[]): number {
  let node = doc.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const segment of segments) {
    const child = childOf(doc, node, segment);
    if (!child) break;
    node = child.node;
    offset = child.offset;
  }
  return offset;
}

interface Child {
  readonly node: Node | null;
  readonly offset: number;
}

function childOf(doc: Document, parent: Node | null, segment: string | number): Child | undefined {
  const holder = isAlias(parent) ? (parent.resolve(doc) ?? null) : parent;
  if (isSeq(holder)) {
    const node = (holder.items[Number(segment)] ?? undefined) as Node | undefined;
    return node && { node, offset: node.range?.[0] ?? 0 };
  }
  if (!isMap(holder)) return undefined;
  const pair = holder.items.find(({ key }) => isScalar(key) && sameKey(key.value, segment));
  if (!pair) return undefined;
  const key = pair.key as Node;
  const node = pair.value as Node | null;
  const value = isScalar(node) && node.value === null && !node.source ? null : node;
  return { node, offset: (value ?? key).range?.[0] ?? 0 };
}

// Paths in errors are snake_case where the file may say it in camelCase.
function sameKey(key: unknown, segment: string | number): boolean {
  return camel(String(key)) === camel(String(segment));
}

function camel(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
