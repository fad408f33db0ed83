// The catalog contract: what other services own, by id within one account. The built-in
// implementation reads what mzone.yaml declared; another may ask the owning services.
import type { AccountId } from "@railyard/lib/ids";
import type { Soon } from "@railyard/lib/soon";
import type { CatalogItem, CatalogKind } from "../domain/catalog-item.js";
import type { ReadTx } from "../store/contract.js";

export interface Catalog {
  /**
   * The item, when it exists and the account may use it. `tx` is the caller's transaction; an
   * implementation that does not read from the store ignores it.
   */
  get<K extends CatalogKind>(
    tx: Pick<ReadTx, "catalog">,
    account: AccountId,
    item: { readonly kind: K; readonly id: string },
  ): Soon<Extract<CatalogItem, { kind: K }> | undefined>;
}
