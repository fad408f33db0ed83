// A node against its declaration: gathers what was declared from the store and applies the
// judgement to the node's row. What a difference means is decided in domain/declaration.ts.
import { bug } from "@railyard/lib/errors";
import { type Declaration, judge, judgeSerial, type Seen } from "../domain/declaration.js";
import type { Node } from "../domain/node.js";
import type { ReadTx } from "../store/contract.js";

/**
 * The node with this inventory, its mismatches and its pairs. `serial` is the one the machine told.
 */
export async function withInventory(tx: ReadTx, node: Node, seen: Seen): Promise<Node> {
  const { mismatches, pairs } =
    node.role === "fabric" ? judgeSerial(node, seen) : judge(await declarationOf(tx, node), seen);
  return { ...node, inventory: seen.inventory, mismatches, pairs };
}

/** The serial that the machine told last. */
export function seenSerial(node: Pick<Node, "serial" | "mismatches">): string {
  return node.mismatches.find(({ kind }) => kind === "serial")?.seen ?? node.serial;
}

async function declarationOf(tx: ReadTx, node: Node): Promise<Declaration> {
  const { serial, cabling } = node;
  const hardware = await tx.hardware.get(node.hardware);
  const cluster = await tx.physicalClusters.get(node.physicalClusterId);
  const group = cluster?.leafGroups.find(({ name }) => name === node.leafGroup);
  if (!hardware || !group) throw bug(`node ${node.id} lost what it was declared with`);
  return { serial, hardware, rails: group.rails, cabling };
}
