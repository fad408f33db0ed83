// The fleet as it is kept beside the store: who is enrolled changes with each enrolment, and with
// nothing else.
import type { NodeId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { Node } from "../domain/node.js";
import type { ReadTx, Store } from "../store/contract.js";
import type { Touch } from "../store/touches.js";
import { NodeBook } from "./node-book.js";

function yard(...nodes: Partial<Node>[]) {
  const rows = new Map(nodes.map((node) => [node.id as NodeId, node as Node]));
  let tell: (touch: Touch) => void = () => {};
  const onTouch = (fn: typeof tell) => {
    tell = fn;
  };
  const store = { onTouch } as unknown as Store;
  const tx = {
    nodes: { all: async () => [...rows.values()], get: async (id: NodeId) => rows.get(id) },
  } as unknown as ReadTx;
  const book = new NodeBook(store);
  const put = (node: Partial<Node>) => {
    rows.set(node.id as NodeId, node as Node);
    tell({ kind: "node", id: String(node.id) });
  };
  const enrolled = async () =>
    (await book.enrolled(tx)).map(({ id, publicKey }) => [id, publicKey]);
  return { book, tx, put, enrolled };
}

const A = { id: "a" as NodeId, publicKey: "UA", retired: false };
const B = { id: "b" as NodeId, publicKey: "UB", retired: false };

test("nodes are enrolled that have a key and are declared, by id", async () => {
  const { enrolled } = yard(
    B,
    { id: "c" as NodeId },
    { ...A, retired: true },
    { ...A, id: "d" as NodeId },
  );
  expect(await enrolled()).toEqual([
    ["b", "UB"],
    ["d", "UA"],
  ]);
});

test("an enrolment, a new key and a retirement each show", async () => {
  const { put, enrolled } = yard(A);
  put(B);
  expect(await enrolled()).toEqual([
    ["a", "UA"],
    ["b", "UB"],
  ]);
  put({ ...B, publicKey: "UC" });
  put({ ...A, retired: true });
  expect(await enrolled()).toEqual([["b", "UC"]]);
});

test("the list stays the same one when anything else of a node changes", async () => {
  const { book, tx, put } = yard(A, B);
  const before = await book.enrolled(tx);
  put({ ...A, generation: 7n });
  expect(await book.enrolled(tx)).toBe(before);
});
