// The epoch: one per database lineage, raised only by a restore or a fail-over. Read here, nowhere
// else.
import { bug } from "@railyard/lib/errors";
import type { ReadTx } from "../store/contract.js";

/** The present epoch. Throws `bug` when the store holds none. */
export async function epochOf(tx: Pick<ReadTx, "meta">): Promise<bigint> {
  const text = await tx.meta.get("epoch");
  if (text === undefined) throw bug("the store holds no epoch");
  return BigInt(text);
}
