// Checks the shape of a file: lengths, parameters, names, the opening comment. It does not look at
// what the code says.
import ts from "typescript";
import { at, type Finding, isTest, type Source, walk } from "./source.js";

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;
const LINE_LENGTH_MAX = 100;
const PARAMETERS_MAX = 3;
const BANNED_NAME = /^(utils?|helpers?|commons?|managers?)$/;

/** Findings about sizes, names and the opening comment. */
export function checkShape(source: Source): Finding[] {
  return [...checkFile(source), ...checkLines(source), ...checkFunctions(source)];
}

function checkFile(source: Source): Finding[] {
  const messages: string[] = [];
  const count = source.text.trimEnd().split("\n").length;
  if (count > FILE_LINES_MAX) messages.push(`file has ${count} lines, at most ${FILE_LINES_MAX}`);
  const body = source.text.replace(/^#!.*\n/, "");
  if (!/^\s*(\/\/ ?\S|\/\*\*?\s*\S)/.test(body)) {
    messages.push("file opens without a comment on what it is for and must not know");
  }
  const words = source.path
    .toLowerCase()
    .split("/")
    .flatMap((part) => part.split(/[.-]/));
  const banned = words.find((word) => BANNED_NAME.test(word));
  if (banned) messages.push(`"${banned}" names nothing: call it what it is`);
  return messages.map((message) => ({ path: source.path, line: 1, message }));
}

/** A long address, or an import of one name: neither can be broken. */
const UNBREAKABLE = /https?:\/\/\S{60,}|^import (type )?\{ \w+ \} from ".*";$/;

function checkLines(source: Source): Finding[] {
  return source.text.split("\n").flatMap((line, index) => {
    const length = [...line].length;
    if (length <= LINE_LENGTH_MAX || UNBREAKABLE.test(line)) return [];
    const message = `line has ${length} characters, at most ${LINE_LENGTH_MAX}`;
    return [{ path: source.path, line: index + 1, message }];
  });
}

function checkFunctions(source: Source): Finding[] {
  const found: Finding[] = [];
  walk(source.ast, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || !node.body) return;
    const lines = linesOf(source.ast, node);
    if (lines > FUNCTION_LINES_MAX && !(isTest(source.path) && isDescribeBody(node))) {
      found.push(at(source, node, `function has ${lines} lines, at most ${FUNCTION_LINES_MAX}`));
    }
    const count = node.parameters.filter((p) => p.name.getText(source.ast) !== "this").length;
    if (count > PARAMETERS_MAX) {
      found.push(at(source, node, `${count} parameters: past ${PARAMETERS_MAX}, take an object`));
    }
  });
  return found;
}

function linesOf(ast: ts.SourceFile, node: ts.Node): number {
  const first = ast.getLineAndCharacterOfPosition(node.getStart(ast)).line;
  return ast.getLineAndCharacterOfPosition(node.end).line - first + 1;
}

function isDescribeBody(node: ts.Node): boolean {
  const call = node.parent;
  return ts.isCallExpression(call) && /^describe\b/.test(call.expression.getText());
}
