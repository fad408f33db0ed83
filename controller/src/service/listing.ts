// What every list use case takes beside its filters: which part of the list, in which order.
import type { ListOrder, PageKey } from "../store/contract.js";

export interface Listing {
  /** Most rows to answer with. */
  readonly limit: number;
  /** Go on after this row; absent for the first page. */
  readonly after?: PageKey;
  /** Absent for the default, newest first. */
  readonly order?: ListOrder;
}

export const LIST_ORDERS = [
  "created_at desc",
  "created_at",
  "name",
  "name desc",
] as const satisfies readonly ListOrder[];
