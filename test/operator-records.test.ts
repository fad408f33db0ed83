// What operators read and set about accounts: the audit log, page by page, and quotas.
import {
  AuditServiceService,
  ListAuditRecordsRequest,
} from "@railyard/proto/gen/railyard/admin/v1/audit";
import {
  QuotaServiceService,
  QuotaSubject,
  SetQuotaRequest,
} from "@railyard/proto/gen/railyard/admin/v1/quota";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { operatorRailctl } from "./operator-railctl.js";
import { Yard } from "./yard.js";

let yard: Yard;
let customer: Customer;
beforeEach(async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  customer = new Customer(await yard.tenant("acme"));
});
afterEach(() => yard.close());

function audit(change: Partial<ListAuditRecordsRequest> = {}) {
  const request = ListAuditRecordsRequest.fromPartial(change);
  return yard.operator.call(AuditServiceService.listAuditRecords, request);
}

test("each change of a tenant has one record with caller, call and object", async () => {
  const network = await customer.network();
  const subnet = await customer.subnet(network.id);
  const { auditRecords, totalSize } = await audit({ account: "acme" });
  expect(totalSize).toBe(2n);
  expect(auditRecords.map(({ rpc }) => rpc.split("/").at(-1))).toEqual([
    "CreateClusterNetworkSubnet",
    "CreateClusterNetwork",
  ]);
  expect(auditRecords[0]?.rpc).toMatch(/^\/railyard\.v1\./);
  expect(auditRecords[0]?.principal).toMatch(/^tok-/);
  expect(auditRecords[1]?.objects.map(({ id }) => id)).toContain(network.id);
  const about = await audit({ objectId: subnet.id });
  expect(about.auditRecords.map(({ rpc }) => rpc)).toEqual([auditRecords[0]?.rpc]);
  const later = await audit({ account: "acme", createdAfter: new Date(Date.now() + 60_000) });
  expect(later.auditRecords).toEqual([]);
});

test("the pages of the log neither repeat nor miss a record while it grows", async () => {
  for (let i = 0; i < 4; i++) await customer.network();
  const all = await audit({ pageSize: 100 });
  expect(BigInt(all.auditRecords.length)).toBe(all.totalSize);
  const sequences = all.auditRecords.map(({ sequence }) => sequence);
  expect(sequences).toEqual(sequences.map((_, i) => all.totalSize - BigInt(i)));

  const paged: bigint[] = [];
  let pageToken = "";
  do {
    const page = await audit({ pageSize: 2, pageToken });
    paged.push(...page.auditRecords.map(({ sequence }) => sequence));
    pageToken = page.nextPageToken;
    if (paged.length === 2) await customer.network();
  } while (pageToken !== "");
  expect(paged).toEqual(sequences);
});

test("a lowered quota refuses what is new and keeps what is there", async () => {
  await customer.network();
  await customer.network();
  const networks = QuotaSubject.QUOTA_SUBJECT_CLUSTER_NETWORKS_PER_REGION;
  const get = async () => {
    const { quota } = await yard.operator.call(QuotaServiceService.getQuota, { account: "acme" });
    return { etag: quota?.etag ?? "", item: quota?.items.find((i) => i.subject === networks) };
  };
  const set = (limit: bigint, change: Partial<SetQuotaRequest> = {}) => ({
    ...SetQuotaRequest.fromPartial({ account: "acme", limits: [{ subject: networks, limit }] }),
    ...change,
  });
  const before = await get();
  expect(before.item).toMatchObject({ limit: 5n, used: 2n });
  await yard.operator.call(QuotaServiceService.setQuota, set(1n, { validateOnly: true }));
  expect(await get()).toEqual(before);
  await yard.operator.call(QuotaServiceService.setQuota, set(1n, { etag: before.etag }));
  expect((await get()).item).toMatchObject({ limit: 1n, used: 2n });
  await expect(customer.network()).rejects.toMatchObject({ reason: "QUOTA_EXCEEDED" });

  const stale = set(9n, { etag: before.etag });
  const refused = await yard.operator.refused(QuotaServiceService.setQuota, stale);
  expect(refused.reason).toBe("ETAG_MISMATCH");
  const twice = set(9n);
  twice.limits.push(...twice.limits);
  const bad = await yard.operator.refused(QuotaServiceService.setQuota, twice);
  expect(bad.fields).toEqual(["limits[1].subject"]);
  await yard.operator.call(QuotaServiceService.setQuota, set(3n));
  await customer.network();
});

test("railctl shows and sets quotas and lists the audit log", async () => {
  const railctl = (...args: string[]) => operatorRailctl(yard, ...args);
  const set = await railctl("quota", "set", "acme", "--limit", "instances=7");
  expect(set).toMatchObject({ code: 0 });
  const got = await railctl("quota", "get", "acme");
  expect(got.text).toMatch(/instances +7 +0/);
  const listed = await railctl("audit", "list", "--limit", "1");
  expect(listed.text).toMatch(/SetQuota +quota acme/);
  expect(listed.text.trim().split("\n")).toHaveLength(2);
  expect(await railctl("quota", "set", "acme", "--limit", "instances")).toMatchObject({ code: 2 });
});
