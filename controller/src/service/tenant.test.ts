// Tests of the handle that tenants' use cases get: neither its type nor its value leads to another
// account's objects, and their files ask for no other handle.
import { readdirSync, readFileSync } from "node:fs";
import type { AccountId } from "@railyard/lib/ids";
import { expect, test } from "vitest";
import type { ReadTx, WriteTx } from "../store/contract.js";
import { type TenantReads, type TenantTx, tenantReads, tenantTx } from "./tenant.js";

const ALICE = "acc-alice" as AccountId;
const UNSCOPED = [
  "account",
  "everyone",
  "instancesOnNode",
  "loadOfNode",
  "mzones",
  "requests",
  "tokens",
  "logs",
];

/** Whatever is asked of it is there: only what the handle leaves out is not. */
function transaction(): ReadTx & WriteTx {
  const members = [...UNSCOPED, "profiles", "nodes"].map((name) => [name, {}]);
  return { ...Object.fromEntries(members), account: (id: AccountId) => ({ of: id }) };
}

test("a tenant's handle has the account's own objects and no way to another's", () => {
  for (const handle of [tenantReads(transaction(), ALICE), tenantTx(transaction(), ALICE)]) {
    expect(handle.mine).toEqual({ of: ALICE });
    expect(Object.keys(handle)).toEqual(expect.arrayContaining(["profiles", "nodes"]));
    for (const name of UNSCOPED) expect(handle).not.toHaveProperty(name);
  }
});

test("reading another account's row does not type-check", () => {
  const tries = (read: TenantReads, write: TenantTx, whole: ReadTx): unknown[] => [
    // @ts-expect-error: no account can be named.
    read.account(ALICE),
    // @ts-expect-error
    read.everyone.instances,
    // @ts-expect-error
    read.instancesOnNode("node-1"),
    // @ts-expect-error
    write.account(ALICE),
    // @ts-expect-error
    write.everyone.instances,
    // @ts-expect-error
    write.tokens.all(),
    // @ts-expect-error
    write.logs.audit(0n, 1),
    // @ts-expect-error: what reads may not write.
    read.mine.instances.delete("ins-1"),
    // @ts-expect-error: nor is a whole transaction taken for a tenant's.
    ((tx: TenantReads) => tx)(whole),
  ];
  expect(tries).toBeTypeOf("function");
});

test("a tenant's use case opens no transaction of its own", () => {
  const nouns = /^(cluster-network|subnet|reserved-ip|interface|attachment|instance|volume)/;
  const files = readdirSync(import.meta.dirname).filter(
    (file) => nouns.test(file) && !file.endsWith(".test.ts"),
  );
  expect(files.length).toBeGreaterThan(15);
  const open = files.filter((file) => {
    const text = readFileSync(`${import.meta.dirname}/${file}`, "utf8");
    return /store\.(read|write)\(|\bmutate\(|\btenant(Tx|Reads)\(/.test(text);
  });
  expect(open).toEqual([]);
});
