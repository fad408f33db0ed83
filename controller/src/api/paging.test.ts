// Tests of page sizes and page tokens.
import type { AccountId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { Rpc } from "./handler.js";
import { pageSigner, pageToken, readPage } from "./paging.js";

const KEY = new Uint8Array(32).fill(7);
const PAGE = { rows: [{ createdAt: 12, name: "späte-zeile", id: "cn-1" }], more: true };

function rpcOf(account: string, over: Partial<Rpc> = {}): Rpc {
  return {
    principal: { id: "tok-1", account: account as AccountId, roles: [] },
    method: "ListThings",
    signPage: pageSigner(KEY),
    ...over,
  } as Rpc;
}

const rpc = rpcOf("acc-a");
const ask = (token: string, by = rpc, bound = "f") =>
  readPage(by, { pageSize: 0, pageToken: token }, bound);

test("page sizes: 0 means 50, more than 100 means 100, negative ones are refused", () => {
  const limit = (pageSize: number) => readPage(rpc, { pageSize, pageToken: "" }, "").limit;
  expect([limit(0), limit(7), limit(100), limit(2_000)]).toEqual([50, 7, 100, 100]);
  expect(() => limit(-1)).toThrow("page_size");
});

test("a token leads on after the last row of its page", () => {
  expect(ask(pageToken(rpc, "f", PAGE)).after).toEqual(PAGE.rows[0]);
});

test("the last page and an empty page have no token", () => {
  expect(pageToken(rpc, "f", { ...PAGE, more: false })).toBe("");
  expect(pageToken(rpc, "f", { rows: [], more: true })).toBe("");
});

test("every changed character makes a token invalid", () => {
  const token = pageToken(rpc, "f", PAGE);
  for (let i = 0; i < token.length - 1; i++) {
    const other = token[i] === "A" ? "B" : "A";
    const bad = token.slice(0, i) + other + token.slice(i + 1);
    expect(() => ask(bad)).toThrow(expect.objectContaining({ reason: "PAGE_TOKEN_INVALID" }));
  }
});

test("a token of another account, list, filter or server is refused", () => {
  const token = pageToken(rpc, "f", PAGE);
  const others = [
    () => ask(token, rpcOf("acc-b")),
    () => ask(token, rpcOf("acc-a", { method: "ListOthers" })),
    () => ask(token, rpc, "g"),
    () => ask(token, rpcOf("acc-a", { signPage: pageSigner(new Uint8Array(32)) })),
    () => ask("nonsense"),
  ];
  for (const other of others) {
    expect(other).toThrow(expect.objectContaining({ reason: "PAGE_TOKEN_INVALID" }));
  }
});

test("an order is one of four, and an unknown one names what there is", () => {
  const order = (orderBy: string) => readPage(rpc, { pageSize: 0, pageToken: "", orderBy }, "");
  expect(order("name desc").order).toBe("name desc");
  expect(order("")).toEqual({ limit: 50 });
  expect(() => order("size")).toThrow(expect.objectContaining({ reason: "ORDER_BY_INVALID" }));
});

test("all that is wrong with a page and its filters is named at once", () => {
  const faults = [{ field: "address", description: "wrong" }];
  const request = { pageSize: -1, pageToken: "x.y", orderBy: "size", faults };
  const fields = ["address", "page_size", "order_by", "page_token"].map((field) =>
    expect.objectContaining({ field }),
  );
  expect(() => readPage(rpc, request, "")).toThrow(
    expect.objectContaining({
      reason: "FIELD_INVALID",
      parts: expect.objectContaining({ fields }),
    }),
  );
});
