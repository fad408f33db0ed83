// Which RPCs the text of a contract test calls so that they must succeed: those that are handed to
// a caller's method, under whatever name the file gives them. It knows no RPC.
import { basename } from "node:path";
import ts from "typescript";

/** What a caller does with an RPC that it expects to be answered. */
const CALLERS = new Set(["call", "stream", "upload", "duplex"]);

/** The names of the RPCs that are called, in lower camel case. */
export function calledRpcs(path: string, text: string): ReadonlySet<string> {
  const file = ts.createSourceFile(basename(path), text, ts.ScriptTarget.Latest, true);
  const services = new Set<string>();
  const names = new Map<string, string>();
  const called = new Set<string>();
  const isService = (node: ts.Expression) =>
    /ServiceService$/.test(node.getText()) || services.has(node.getText());
  const rpcOf = (node: ts.Expression | undefined) => {
    if (!node) return undefined;
    if (ts.isIdentifier(node)) return names.get(node.text);
    const isMember = ts.isPropertyAccessExpression(node) && isService(node.expression);
    return isMember ? node.name.text : undefined;
  };
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.initializer && isService(node.initializer)) {
      if (ts.isIdentifier(node.name)) services.add(node.name.text);
      else for (const [alias, name] of elementsOf(node.name)) names.set(alias, name);
    }
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const rpc = CALLERS.has(node.expression.name.text) && rpcOf(node.arguments[0]);
      if (rpc) called.add(rpc);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return called;
}

/** What a pattern such as `{ getNode, listNodes: list }` names, and what each name stands for. */
function elementsOf({ elements }: ts.BindingPattern): [string, string][] {
  return elements.flatMap((element) => {
    if (!ts.isBindingElement(element)) return [];
    const alias = element.name.getText();
    return [[alias, element.propertyName?.getText() ?? alias]];
  });
}
