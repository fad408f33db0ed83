// The store's suite: whichever engine keeps truth, it keeps it like this. Each part is a file
// beside this one; engines add their own tests elsewhere.
import type { Encode, Store } from "@railyard/controller/store/contract";
import { describe } from "vitest";
import { accountLogSuite } from "./store-account-logs.js";
import { addressSuite } from "./store-addresses.js";
import { claimSuite } from "./store-claims.js";
import { holdSuite } from "./store-holds.js";
import { listSuite } from "./store-lists.js";
import { logSuite } from "./store-logs.js";
import { outboxSuite } from "./store-outbox.js";
import { poolSuite } from "./store-pools.js";
import { recordSuite } from "./store-records.js";
import { togetherSuite } from "./store-together.js";
import { transactionSuite } from "./store-transactions.js";
import { uniquenessSuite } from "./store-uniqueness.js";

/** One empty database of the engine under test. */
export interface StoreBox {
  readonly store: Store;
  /** Closes the store and opens the same data again. */
  reopen(): Promise<Store>;
}

/** A fresh database; its accounts' logs carry objects when there is an `encode`. */
export type OpenStore = (encode?: Encode) => Promise<StoreBox>;

/** Holds one engine to the contract; `open` makes a fresh database each time and cleans up. */
export function storeConformance(name: string, open: OpenStore): void {
  describe(`store ${name}`, () => {
    recordSuite(open);
    uniquenessSuite(open);
    transactionSuite(open);
    logSuite(open);
    accountLogSuite(open);
    outboxSuite(open);
    addressSuite(open);
    poolSuite(open);
    claimSuite(open);
    holdSuite(open);
    listSuite(open);
    togetherSuite(open);
  });
}
