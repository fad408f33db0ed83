// The source files of this repository, parsed: what every tidy check looks at. Generated code and
// build output are left out. It knows no rule.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export interface Source {
  /** Path from the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly ast: ts.SourceFile;
  /** True for what is never shipped: unit tests, test/ and deploy/. */
  readonly exempt: boolean;
}

export interface Finding {
  readonly path: string;
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

export type Check = (source: Source) => Finding[];

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const FOLDERS = [
  "proto/src",
  "lib/src",
  "controller/src",
  "agent/src",
  "cli/src",
  "cli/bin",
  "test",
  "deploy",
];
const SKIPPED = new Set(["node_modules", "dist", "gen"]);
const CODE = /\.(ts|mts|js|mjs)$/;

/** Parses every source file of the repository. */
export function readSources(): Source[] {
  return FOLDERS.flatMap((folder) => codeBelow(join(ROOT, folder))).map((file) =>
    parseSource(relative(ROOT, file).split(sep).join("/"), readFileSync(file, "utf8")),
  );
}

/** Parses `text` as if it stood at `path`; also for planted samples. */
export function parseSource(path: string, text: string): Source {
  const kind = /\.m?js$/.test(path) ? ts.ScriptKind.JS : ts.ScriptKind.TS;
  const ast = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, kind);
  const exempt = isTest(path) || path.startsWith("test/") || path.startsWith("deploy/");
  return { path, text, ast, exempt };
}

export function isTest(path: string): boolean {
  return basename(path).endsWith(".test.ts");
}

/** A finding at `node`. */
export function at(source: Source, node: ts.Node, message: string): Finding {
  const { line } = source.ast.getLineAndCharacterOfPosition(node.getStart(source.ast));
  return { path: source.path, line: line + 1, message };
}

/** Calls `visit` for every node below `root`, outermost first. */
export function walk(root: ts.Node, visit: (node: ts.Node) => void): void {
  ts.forEachChild(root, (node) => {
    visit(node);
    walk(node, visit);
  });
}

function codeBelow(folder: string): string[] {
  return entriesOf(folder).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : codeBelow(path);
    return CODE.test(entry.name) ? [path] : [];
  });
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
