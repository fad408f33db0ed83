// Checks every import against the table. It knows files by their paths only, not what they do.
import { posix } from "node:path";
import ts from "typescript";
import {
  CONTRACT_FILES,
  IMPURE_MODULES,
  isIn,
  PURE_ROOMS,
  ROOM_IMPORTS,
  SPECIAL_PACKAGES,
  WORKSPACE_IMPORTS,
} from "./import-table.js";
import { at, type Finding, type Source, walk } from "./source.js";

interface Import {
  readonly node: ts.Node;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

interface Place {
  readonly workspace: string;
  /** Path below src without extension, e.g. `store/tables/node`. */
  readonly inner: string;
}

/** Findings for imports that the table does not allow. */
export function checkImports(source: Source): Finding[] {
  const from = placeOf(source.path);
  if (source.exempt || from === undefined) return [];
  const rooms = ROOM_IMPORTS[from.workspace];
  if (rooms && roomOf(from) === undefined) {
    return [at(source, source.ast, `room of ${from.inner} is not in test/tidy/import-table.ts`)];
  }
  return importsOf(source.ast).flatMap((found) => {
    const problem = problemOf(source, from, found);
    return problem ? [at(source, found.node, `${problem} (import of ${found.specifier})`)] : [];
  });
}

function problemOf(source: Source, from: Place, found: Import): string | undefined {
  const { specifier } = found;
  if (isIn(source.path, PURE_ROOMS) && IMPURE_MODULES.test(specifier)) {
    return "a pure room takes values, not a clock, log, loop, setting or bus";
  }
  if (specifier.startsWith("@railyard/")) return workspaceProblem(from, specifier);
  if (specifier.startsWith(".")) return roomProblem(source, from, found);
  const places = SPECIAL_PACKAGES[packageOf(specifier)];
  if (places && !isIn(source.path, places)) return `only ${places.join(", ")} may import it`;
  return undefined;
}

function workspaceProblem(from: Place, specifier: string): string | undefined {
  const to = specifier.split("/")[1] ?? "";
  if (to === from.workspace) return "inside a workspace, imports are relative";
  if (!WORKSPACE_IMPORTS[from.workspace]?.includes(to)) return `${from.workspace} may not know it`;
  const allowed = allowedFor(from);
  if (allowed === undefined || allowed.includes("*") || allowed.includes(to)) return undefined;
  return `${roomOf(from)} may import ${allowed.join(" ")}`;
}

function roomProblem(source: Source, from: Place, found: Import): string | undefined {
  const target = posix.join(posix.dirname(source.path), found.specifier);
  const to = placeOf(target);
  if (to?.workspace !== from.workspace) return "relative imports stay inside a workspace's src";
  const allowed = allowedFor(from);
  const room = roomOf(to);
  if (allowed === undefined || allowed.includes("*") || room === roomOf(from)) return undefined;
  if (room === undefined) return "its room is not in the table";
  if (allowed.includes(room)) return undefined;
  const contract = CONTRACT_FILES[room];
  if (contract !== undefined && allowed.includes(`${room}(contract)`)) {
    if (found.typeOnly || to.inner === `${room}/${contract}`) return undefined;
    return `of ${room}, only ${room}/${contract}.ts and types may be imported`;
  }
  return `${roomOf(from)} may import ${allowed.join(" ")}`;
}

function allowedFor(place: Place): readonly string[] | undefined {
  return ROOM_IMPORTS[place.workspace]?.[roomOf(place) ?? ""];
}

// The longest room of the table that the place lies in.
function roomOf({ workspace, inner }: Place): string | undefined {
  return Object.keys(ROOM_IMPORTS[workspace] ?? {})
    .filter((room) => inner === room || inner.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function placeOf(path: string): Place | undefined {
  const [, workspace, inner] = /^(\w+)\/src\/(.+?)(?:\.[mc]?[jt]s)?$/.exec(path) ?? [];
  return workspace && inner ? { workspace, inner } : undefined;
}

function packageOf(specifier: string): string {
  if (specifier === "child_process") return "node:child_process";
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

function importsOf(ast: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean) => {
    if (specifier && ts.isStringLiteralLike(specifier)) {
      found.push({ node, specifier: specifier.text, typeOnly });
    }
  };
  walk(ast, (node) => {
    if (ts.isImportDeclaration(node)) {
      const phase = node.importClause?.phaseModifier;
      add(node, node.moduleSpecifier, phase === ts.SyntaxKind.TypeKeyword || hasOnlyTypes(node));
    } else if (ts.isExportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, true);
    } else if (ts.isCallExpression(node) && isLoad(node.expression)) {
      add(node, node.arguments[0], false);
    }
  });
  return found;
}

function hasOnlyTypes(node: ts.ImportDeclaration): boolean {
  const clause = node.importClause;
  const named = clause?.namedBindings;
  if (!clause || clause.name || !named || !ts.isNamedImports(named)) return false;
  return named.elements.length > 0 && named.elements.every((element) => element.isTypeOnly);
}

function isLoad(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(callee) && callee.text === "require";
}
