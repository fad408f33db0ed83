// Checks what code may not say: time and chance outside their files, the environment outside the
// settings, promises in pure rooms, and forms the house rules forbid.
import { basename } from "node:path";
import ts from "typescript";
import { isIn, PURE_ROOMS } from "./import-table.js";
import { at, type Finding, isTest, type Source, walk } from "./source.js";

const TIME_AND_CHANCE = ["lib/src/clock.ts", "lib/src/rng.ts", "lib/src/ids.ts"];
const BANNED_MEMBERS = new Set(["Date.now", "Math.random", "performance.now", "process.hrtime"]);
const BANNED_NAMES = new Set(["randomUUID", "randomBytes", "randomInt", "getRandomValues"]);
const BANNED_CALLS = new Set(["setTimeout", "setInterval", "Date"]);
const PLAIN_ERRORS = new Set(["Error", "TypeError", "RangeError"]);
const LEFT_OVER = /(\/\/|\/\*|^\s*\*).*\b(TODO|FIXME)\b/;
const RUNNERS = new Set(["test", "it", "describe", "suite"]);

type Rule = (source: Source, node: ts.Node) => string | undefined;

/** Findings about forbidden calls and forms. */
export function checkWords(source: Source): Finding[] {
  const rules = [defaultExport, ...(source.exempt ? [] : shippedRules(source))];
  if (isTest(source.path)) rules.push(loneTest);
  const found: Finding[] = [];
  walk(source.ast, (node) => {
    for (const rule of rules) {
      const message = rule(source, node);
      if (message) found.push(at(source, node, message));
    }
  });
  return [...found, ...checkComments(source)];
}

function shippedRules({ path }: Source): Rule[] {
  const rules: Rule[] = [looseType, arrowExport];
  // The contract stands below lib and cannot know its error.
  if (!path.startsWith("proto/")) rules.push(plainError);
  if (!isIn(path, TIME_AND_CHANCE)) rules.push(timeOrChance);
  if (basename(path) !== "config.ts") rules.push(environment);
  if (isIn(path, PURE_ROOMS)) rules.push(promise);
  return rules;
}

function timeOrChance(_: Source, node: ts.Node): string | undefined {
  const message = "time and chance come in through Clock and Rng";
  if (ts.isPropertyAccessExpression(node) && BANNED_MEMBERS.has(node.getText())) return message;
  if (ts.isIdentifier(node) && BANNED_NAMES.has(node.text)) return message;
  if (ts.isCallExpression(node) && BANNED_CALLS.has(globalName(node.expression))) return message;
  if (ts.isNewExpression(node) && node.expression.getText() === "Date") {
    return node.arguments?.length ? undefined : message;
  }
  if (ts.isImportDeclaration(node) && /^["'](node:)?timers/.test(node.moduleSpecifier.getText())) {
    return message;
  }
  return undefined;
}

function globalName(callee: ts.Expression): string {
  return callee.getText().replace(/^globalThis\./, "");
}

function environment(_: Source, node: ts.Node): string | undefined {
  const member = ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node);
  const named = member && /^process(\.env|\[["']env["']\])$/.test(node.getText());
  const imported =
    ts.isImportSpecifier(node) &&
    (node.propertyName ?? node.name).text === "env" &&
    /process["']/.test(node.parent.parent.parent.getText());
  return named || imported ? "only config.ts reads the environment" : undefined;
}

function promise(_: Source, node: ts.Node): string | undefined {
  const waits = ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AsyncKeyword;
  const named = ts.isIdentifier(node) && /^Promise(Like)?$/.test(node.text);
  return waits || named ? "a pure room decides at once: no promises" : undefined;
}

function looseType(_: Source, node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return "no `any`";
  const definite =
    (ts.isPropertyDeclaration(node) || ts.isVariableDeclaration(node)) && node.exclamationToken;
  return ts.isNonNullExpression(node) || definite ? "no `!`: check, or change the type" : undefined;
}

function arrowExport(_: Source, node: ts.Node): string | undefined {
  if (!ts.isVariableStatement(node)) return undefined;
  const exported = node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  const arrow = node.declarationList.declarations.some(
    ({ initializer }) => initializer && ts.isArrowFunction(initializer),
  );
  return exported && arrow ? "`export function`, not an arrow constant" : undefined;
}

function plainError(_: Source, node: ts.Node): string | undefined {
  if (!ts.isThrowStatement(node) || !ts.isNewExpression(node.expression)) return undefined;
  return PLAIN_ERRORS.has(node.expression.expression.getText())
    ? "throw RailyardError, made by lib/src/errors.ts"
    : undefined;
}

function defaultExport(_: Source, node: ts.Node): string | undefined {
  const isDefault = ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword;
  const inSwitch = node.parent && ts.isDefaultClause(node.parent);
  return isDefault && !inSwitch ? "named exports only" : undefined;
}

function loneTest(_: Source, node: ts.Node): string | undefined {
  if (!ts.isPropertyAccessExpression(node) || !/^(only|skip)$/.test(node.name.text)) {
    return undefined;
  }
  const root = node.expression.getText().split(/\W/, 1)[0] ?? "";
  return RUNNERS.has(root) ? `no .${node.name.text}: every test runs` : undefined;
}

function checkComments(source: Source): Finding[] {
  return source.text.split("\n").flatMap((line, index) => {
    const word = LEFT_OVER.exec(line)?.[2];
    const message = `no ${word}: do it or leave it`;
    return word ? [{ path: source.path, line: index + 1, message }] : [];
  });
}
