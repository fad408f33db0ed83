// The built-in catalog: what `mzone apply` stored from the catalog section of mzone.yaml.
import type { AccountId } from "@railyard/lib/ids";
import { andThen, type Soon } from "@railyard/lib/soon";
import type { CatalogItem, CatalogKind } from "../domain/catalog-item.js";
import type { ReadTx } from "../store/contract.js";
import type { Catalog } from "./contract.js";

/** A catalog that reads from the caller's own transaction. */
export function storedCatalog(): Catalog {
  return { get: getStored };
}

function getStored<K extends CatalogKind>(
  tx: Pick<ReadTx, "catalog">,
  account: AccountId,
  { kind, id }: { readonly kind: K; readonly id: string },
): Soon<Extract<CatalogItem, { kind: K }> | undefined> {
  return andThen(tx.catalog.get(kind, id, account), (item) =>
    item && isKind(item, kind) ? item : undefined,
  );
}

function isKind<K extends CatalogKind>(
  item: CatalogItem,
  kind: K,
): item is Extract<CatalogItem, { kind: K }> {
  return item.kind === kind;
}
