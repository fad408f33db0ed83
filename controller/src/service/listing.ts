// What every list use case takes beside its filters: which part of the list, in which order.
import type { ListOrder, PageKey } from "../store/contract.js";

export interface Listing {
  /** Most rows to answer with. */
  readonly limit: number;
  /** Go on after this row; absent for the first page. */
  readonly after?: AfterKey;
  /** Absent for the default, newest first. */
  readonly order?: ListOrder;
}

/** The last row of the page before. */
export interface AfterKey extends PageKey {
  /** Marks of all rows shown by now: for short lists whose rows change their places. */
  readonly seen?: readonly string[];
}

export const LIST_ORDERS = [
  "created_at desc",
  "created_at",
  "name",
  "name desc",
] as const satisfies readonly ListOrder[];
