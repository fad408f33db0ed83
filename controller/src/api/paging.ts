// Pages of lists: sizes and opaque tokens. A token names the last row seen, and is bound by a MAC
// to the caller's account, the RPC, and the filters and order of the list. Knows no noun.
import { createHmac, timingSafeEqual } from "node:crypto";
import { type FieldViolation, invalid } from "@railyard/lib/errors";
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
  /** What is wrong with the filters of the list: refused together with the rest. */
  readonly faults?: readonly FieldViolation[];
}

/** Makes the MAC of page tokens; `key` is a secret of the server, the same after a restart. */
export function pageSigner(key: Uint8Array): (text: string) => Buffer {
  return (text) => createHmac("sha256", key).update(text).digest();
}

/**
 * Which part of the list the caller wants. `bound`: the list's filters and order, as text; a token
 * made for another `bound`, RPC or account is refused.
 * Errors: `invalid`, naming all that is wrong; its reason is PAGE_TOKEN_INVALID or ORDER_BY_INVALID
 * when nothing else is.
 */
export function readPage(rpc: Rpc, request: PageRequest, bound: string): Listing {
  const { pageSize, pageToken: token, orderBy = "" } = request;
  const limit = Math.min(pageSize || PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
  const order = LIST_ORDERS.find((known) => known === orderBy);
  const after = token === "" ? undefined : openToken(rpc, bound, token);
  const bad: { readonly fault: FieldViolation; readonly reason?: string }[] = [];
  for (const fault of request.faults ?? []) bad.push({ fault });
  if (pageSize < 0) {
    bad.push({ fault: { field: "page_size", description: "must not be negative" } });
  }
  if (orderBy !== "" && !order) {
    const description = `must be one of: ${LIST_ORDERS.join(", ")}`;
    bad.push({ fault: { field: "order_by", description }, reason: "ORDER_BY_INVALID" });
  }
  if (token !== "" && !after) {
    const description = "was not made by this server for this account and these filters";
    bad.push({ fault: { field: "page_token", description }, reason: "PAGE_TOKEN_INVALID" });
  }
  if (bad.length > 0) {
    const faults = bad.map(({ fault }) => fault);
    throw invalid(faults, bad.length === 1 ? bad[0]?.reason : undefined);
  }
  return { limit, ...(after && { after }), ...(order && { order }) };
}

/** `next_page_token` after this page; empty when it is the last. */
export function pageToken(
  rpc: Rpc,
  bound: string,
  page: { readonly rows: readonly PageKey[]; readonly more: boolean },
): string {
  const last = page.rows.at(-1);
  if (!page.more || last === undefined) return "";
  const body = Buffer.from(JSON.stringify([last.createdAt, last.name, last.id, last.seen]));
  const text = body.toString("base64url");
  return `${text}.${macOf(rpc, bound, text).toString("base64url")}`;
}

/** Undefined for a token that was not made for this list. */
function openToken(rpc: Rpc, bound: string, token: string): PageKey | undefined {
  const [text = "", mac = ""] = token.split(".");
  const wanted = macOf(rpc, bound, text);
  const given = Buffer.from(mac, "base64url");
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
  // The MAC vouches that this server wrote the text.
  const [createdAt, name, id, seen] = JSON.parse(Buffer.from(text, "base64url").toString()) as [
    number,
    string,
    string,
    readonly string[] | null,
  ];
  return { createdAt, name, id, ...(seen && { seen }) };
}

function macOf(rpc: Rpc, bound: string, text: string): Buffer {
  const account = rpc.principal.account ?? "";
  return rpc.signPage(JSON.stringify([rpc.method, account, bound, text]));
}
