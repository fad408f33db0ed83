// What an applied document changes in the desired states of nodes that hold instances. A generation
// has one content for ever: whatever changes a node's content raises its generation in the same
// transaction.
import { canonicalJson, type Plain, sha256Hex } from "@railyard/lib/canonical";
import { refuse } from "@railyard/lib/errors";
import type { NodeId } from "@railyard/lib/ids";
import type { Catalog } from "../catalog/contract.js";
import type { ObjectKind } from "../domain/mzone/objects.js";
import type { Step } from "../domain/mzone/plan.js";
import type { ReadTx, WriteTx } from "../store/contract.js";
import { desiredNode, intendedDigests } from "./desired.js";

/** Kinds whose members go into desired states. */
const CONTENT_KINDS: readonly ObjectKind[] = [
  "hardware",
  "server",
  "instanceProfile",
  "clusterNetworkProfile",
  "image",
  "key",
  "volume",
];

interface Content {
  /** Of everything that the node is sent. */
  readonly digest: string;
  /** What its instances must be read back with, by instance id. */
  readonly attested: ReadonlyMap<string, string>;
}

/** What every node that holds an instance is meant to have; its cost grows with the yard. */
export type Contents = ReadonlyMap<NodeId, Content>;

/** Undefined when the steps cannot change what any node is sent. */
export async function contentsBefore(
  tx: ReadTx,
  catalog: Catalog,
  steps: readonly Step[],
): Promise<Contents | undefined> {
  return causesOf(steps).length > 0 ? contentsOf(tx, catalog) : undefined;
}

/**
 * Raises exactly the nodes whose content differs from `before`. Throws `precondition`
 * MZONE_OBJECT_IN_USE when what a placed instance is attested by would change under it.
 */
export async function raiseChanged(
  tx: WriteTx,
  catalog: Catalog,
  { before, steps }: { readonly before: Contents; readonly steps: readonly Step[] },
): Promise<void> {
  for (const [nodeId, now] of await contentsOf(tx, catalog)) {
    const old = before.get(nodeId);
    if (old?.digest === now.digest) continue;
    const altered = [...now.attested].filter(([id, digest]) => old?.attested.get(id) !== digest);
    if (altered.length > 0)
      throw altersRunning(
        steps,
        altered.map(([id]) => id),
      );
    await tx.outbox.raise(nodeId);
  }
}

function causesOf(steps: readonly Step[]): readonly Step[] {
  return steps.filter(
    ({ action, object }) => action === "update" && CONTENT_KINDS.includes(object.kind),
  );
}

async function contentsOf(tx: ReadTx, catalog: Catalog): Promise<Contents> {
  const contents = new Map<NodeId, Content>();
  for (const { nodeId } of await tx.claims.all()) {
    const node = await tx.nodes.get(nodeId);
    if (!node) continue;
    const desired = await desiredNode(tx, catalog, node);
    const { vfsPerNic, instances } = desired;
    const text = canonicalJson({ vfsPerNic, instances } as unknown as Plain);
    contents.set(nodeId, { digest: sha256Hex(text), attested: intendedDigests(desired) });
  }
  return contents;
}

function altersRunning(steps: readonly Step[], ids: readonly string[]) {
  const description = `would alter ${ids.length} placed instance(s)`;
  const fields = causesOf(steps).map(({ object }) => ({ field: object.path, description }));
  const message = fields.map((fault) => `${fault.field}: ${description}`).join("; ");
  const holders = ids.map((id) => ({ type: "instance", id }));
  return refuse("precondition", message, { reason: "MZONE_OBJECT_IN_USE", fields, holders });
}
