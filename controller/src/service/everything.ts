// Walks all networks, instances or holds of all accounts, page by page, inside one transaction. For
// operators' calls only: its cost grows with the yard.
import type { ClusterNetwork } from "../domain/cluster-network.js";
import type { Hold } from "../domain/hold.js";
import type { Instance } from "../domain/instance.js";
import type { Listed, ReadTx } from "../store/contract.js";

const PAGE = 500;

export function everyNetwork(tx: ReadTx): AsyncGenerator<ClusterNetwork> {
  return every(tx.everyone.clusterNetworks);
}

export function everyInstance(tx: ReadTx): AsyncGenerator<Instance> {
  return every(tx.everyone.instances);
}

export function everyHold(tx: ReadTx): AsyncGenerator<Hold> {
  return every(tx.everyone.holds);
}

async function* every<
  Row extends { readonly id: string; readonly name: string; readonly createdAt: number },
>(rows: Listed<Row, object>): AsyncGenerator<Row> {
  let last: Row | undefined;
  for (;;) {
    const after = last && { createdAt: last.createdAt, name: last.name, id: last.id };
    const page = await rows.list({ filter: {}, limit: PAGE, ...(after && { after }) });
    yield* page.rows;
    last = page.rows.at(-1);
    if (!page.more || !last) return;
  }
}
