// Reads a list to its end, page by page. It knows no noun.
import { refuse } from "@railyard/lib/errors";
import type { Method, RpcClient } from "./client.js";

export const PAGE_SIZE = 100;
const PAGES_MAX = 1_000;

/** What lists take that can be put in another order than newest first. */
export const ORDER_BY = [
  "--order-by <order>",
  "created_at, name, with desc behind it or not",
] as const;

export interface OrderFlags {
  readonly orderBy?: string;
}

interface Paged {
  pageSize: number;
  pageToken: string;
}

/** A list method, its filters, and where its answer holds the items. */
export interface Listing<Request extends Paged, Response, Item> {
  readonly method: Method<Request, Response>;
  readonly filters: Omit<Request, keyof Paged>;
  readonly items: (response: Response) => readonly Item[];
}

/** Every item; throws `exhausted` past 100 000. */
export async function listAll<
  Request extends Paged,
  Response extends { nextPageToken: string },
  Item,
>(client: RpcClient, listing: Listing<Request, Response, Item>): Promise<Item[]> {
  const all: Item[] = [];
  let pageToken = "";
  for (let page = 0; page < PAGES_MAX; page++) {
    const request = { ...listing.filters, pageSize: PAGE_SIZE, pageToken } as Request;
    const response = await client.call(listing.method, request);
    all.push(...listing.items(response));
    pageToken = response.nextPageToken;
    if (pageToken === "") return all;
  }
  throw refuse("exhausted", `the list has more than ${PAGES_MAX * PAGE_SIZE} items`);
}
