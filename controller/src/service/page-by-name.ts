// Pages of small lists that are read whole and shown by name: nodes, physical clusters. Knows no
// noun.
import type { Page } from "../store/contract.js";
import type { Listing } from "./listing.js";

/** The page that `listing` asks for of rows whose names are unique; its order is always by name. */
export function pageByName<Row extends { readonly name: string }>(
  rows: readonly Row[],
  { after, limit }: Listing,
): Page<Row> {
  const sorted = [...rows].sort((a, b) => (a.name < b.name ? -1 : 1));
  const rest = after ? sorted.filter(({ name }) => name > after.name) : sorted;
  return { rows: rest.slice(0, limit), total: rows.length, more: rest.length > limit };
}
