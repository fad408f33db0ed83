// What checking one instance template carries along, and how what the catalog owns is looked up in
// it. Knows no member of the template but by name.
import type { AccountId } from "@railyard/lib/ids";
import type { Rng } from "@railyard/lib/rng";
import { andThen, type Soon } from "@railyard/lib/soon";
import type { CatalogItem, CatalogKind } from "../domain/catalog-item.js";
import type { Faults } from "../domain/faults.js";
import { RESOURCE_TYPE } from "../domain/resource-type.js";
import type { ServiceContext } from "./context.js";
import type { TemplateWish } from "./instance-template.js";
import type { TenantTx } from "./tenant.js";

/** One template being checked. */
export interface TemplateCheck {
  readonly tx: TenantTx;
  readonly ctx: ServiceContext;
  readonly account: AccountId;
  readonly faults: Faults;
  /** Wall time of the call, milliseconds. */
  readonly at: number;
  readonly rng: Rng;
  readonly wish: TemplateWish;
}

/** The catalog item, or a fault naming `template.<field>`. */
export function lookUp<K extends CatalogKind>(
  { tx, ctx, account, faults }: TemplateCheck,
  wanted: { readonly kind: K; readonly id: string; readonly field: string },
): Soon<Extract<CatalogItem, { kind: K }> | undefined> {
  const { kind, id, field } = wanted;
  return andThen(ctx.catalog.get(tx, account, { kind, id }), (item) => {
    if (!item) faults.missing(`template.${field}`, RESOURCE_TYPE[kind], id);
    return item;
  });
}
