// Pages of lists: sizes and opaque tokens. A token names the last row seen, and is bound by a MAC
// to the caller's account, the RPC, and the filters and order of the list. Knows no noun.
import { createHmac, timingSafeEqual } from "node:crypto";
import { invalidField } from "@railyard/lib/errors";
import { LIST_ORDERS, type Listing } from "../service/listing.js";
import type { Rpc } from "./handler.js";

/** Rows of a page when the caller does not say. */
export const PAGE_SIZE_DEFAULT = 50;
/** Most rows of one page; larger sizes mean this. */
export const PAGE_SIZE_MAX = 100;

export type PageKey = NonNullable<Listing["after"]>;

export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly orderBy?: string;
}

/** Makes the MAC of page tokens; `key` is a secret of the server, the same after a restart. */
export function pageSigner(key: Uint8Array): (text: string) => Buffer {
  return (text) => createHmac("sha256", key).update(text).digest();
}

/**
 * Which part of the list the caller wants. `bound`: the list's filters and order, as text; a token
 * made for another `bound`, RPC or account is refused.
 * Errors: `invalid` for page_size, page_token (PAGE_TOKEN_INVALID) or order_by (ORDER_BY_INVALID).
 */
export function readPage(rpc: Rpc, request: PageRequest, bound: string): Listing {
  const { pageSize, pageToken: token, orderBy = "" } = request;
  if (pageSize < 0) throw invalidField("page_size", "must not be negative");
  const limit = Math.min(pageSize || PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
  const order = LIST_ORDERS.find((known) => known === orderBy);
  if (orderBy !== "" && order === undefined) {
    const words = `must be one of: ${LIST_ORDERS.join(", ")}`;
    throw invalidField("order_by", words, "ORDER_BY_INVALID");
  }
  return {
    limit,
    ...(token !== "" && { after: openToken(rpc, bound, token) }),
    ...(order && { order }),
  };
}

/** `next_page_token` after this page; empty when it is the last. */
export function pageToken(
  rpc: Rpc,
  bound: string,
  page: { readonly rows: readonly PageKey[]; readonly more: boolean },
): string {
  const last = page.rows.at(-1);
  if (!page.more || last === undefined) return "";
  const body = Buffer.from(JSON.stringify([last.createdAt, last.name, last.id]));
  const text = body.toString("base64url");
  return `${text}.${macOf(rpc, bound, text).toString("base64url")}`;
}

function openToken(rpc: Rpc, bound: string, token: string): PageKey {
  const [text = "", mac = ""] = token.split(".");
  const wanted = macOf(rpc, bound, text);
  const given = Buffer.from(mac, "base64url");
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    const message = "was not made by this server for this account and these filters";
    throw invalidField("page_token", message, "PAGE_TOKEN_INVALID");
  }
  // The MAC vouches that this server wrote the text.
  const [createdAt, name, id] = JSON.parse(Buffer.from(text, "base64url").toString()) as [
    number,
    string,
    string,
  ];
  return { createdAt, name, id };
}

function macOf(rpc: Rpc, bound: string, text: string): Buffer {
  const account = rpc.principal.account ?? "";
  return rpc.signPage(JSON.stringify([rpc.method, account, bound, text]));
}
