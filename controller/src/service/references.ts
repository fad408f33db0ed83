// Names of what other services own, for references to it. Something that is gone keeps its id and
// is marked as deleted.
import type { AccountId } from "@railyard/lib/ids";
import { andThen, type Soon } from "@railyard/lib/soon";
import type { CatalogKind } from "../domain/catalog-item.js";
import type { ServiceContext } from "./context.js";
import type { TenantReads } from "./tenant.js";

export interface NamedRef {
  readonly id: string;
  /** Empty when it is gone. */
  readonly name: string;
  readonly deleted: boolean;
}

/** Looks up references for one account in one transaction. */
export class References {
  constructor(
    private readonly ctx: Pick<ServiceContext, "catalog">,
    private readonly tx: TenantReads,
    private readonly account: AccountId,
  ) {}

  get(kind: CatalogKind, id: string): Soon<NamedRef> {
    return andThen(this.ctx.catalog.get(this.tx, this.account, { kind, id }), (item) => ({
      id,
      name: item?.name ?? "",
      deleted: item === undefined,
    }));
  }

  all(kind: CatalogKind, ids: readonly string[]): Soon<readonly NamedRef[]> {
    return ids.length === 0 ? [] : this.each(kind, ids);
  }

  private async each(kind: CatalogKind, ids: readonly string[]): Promise<readonly NamedRef[]> {
    const refs: NamedRef[] = [];
    for (const id of ids) refs.push(await this.get(kind, id));
    return refs;
  }
}
