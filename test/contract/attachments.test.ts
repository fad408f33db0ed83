// What the contract says about reading attachments: order, rails, speeds, and where in the guest
// each of them is.
import * as links from "@railyard/proto/gen/railyard/v1/instance_cluster_network_attachment";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Target, type Tenant, target } from "./target.js";

const NOT_FOUND = 5;
const GPUS = 8;
const NIC_GBPS = 400;
const { getInstanceClusterNetworkAttachment: get, listInstanceClusterNetworkAttachments: list } =
  links.InstanceClusterNetworkAttachmentServiceService;

let at: Target;
let tenant: Tenant;
let instanceId: string;
let subnetIds: string[];
beforeAll(async () => {
  at = await target({ machines: true });
  tenant = await at.tenant();
  const { id } = await tenant.network();
  const made = [await tenant.subnet(id), await tenant.subnet(id)].map((subnet) => subnet.id);
  subnetIds = Array.from({ length: 2 * GPUS }, (_, i) => made[i % 2]!);
  instanceId = (await tenant.instance("one", subnetIds)).id;
  await tenant.running(instanceId);
});
afterAll(() => at.close());

async function rows() {
  const request = links.ListInstanceClusterNetworkAttachmentsRequest.fromPartial({
    ...{ instanceId, pageSize: 100 },
  });
  return (await tenant.wire.call(list, request)).instanceClusterNetworkAttachments;
}

const placeOf = ({ position = 0 }: links.InstanceClusterNetworkAttachment) => position;
const byPosition = async () => (await rows()).sort((a, b) => placeOf(a) - placeOf(b));

test("positions count from nought without a gap, in the order of the request", async () => {
  const all = await byPosition();
  expect(all.map(({ position }) => position)).toEqual(subnetIds.map((_, i) => i));
  expect(all.map((row) => row.interface?.subnet?.id)).toEqual(subnetIds);
});

test("before names the successor, and the last has none", async () => {
  const all = await byPosition();
  const successors = all.map(({ before }) => before?.id);
  expect(successors).toEqual([...all.slice(1).map(({ id }) => id), undefined]);
});

test("the instance shows its attachments in the same order", async () => {
  const instance = await tenant.get(instanceId);
  const ids = instance?.clusterNetworkAttachments.map(({ id }) => id);
  expect(ids).toEqual((await byPosition()).map(({ id }) => id));
});

test("blocked: two neighbouring positions share a NIC, its rail and its speed", async () => {
  const all = await byPosition();
  const per = all.length / GPUS;
  for (const { position, rail, gpuIndex, nicIndex, speedGbps } of all) {
    const pair = Math.floor((position ?? 0) / per);
    expect([rail, gpuIndex, nicIndex, speedGbps]).toEqual([pair, pair, pair, NIC_GBPS / per]);
  }
});

test("on a running instance every attachment is applied and has a place in the guest", async () => {
  const all = await byPosition();
  for (const { observed, guestPciAddress } of all) {
    expect(observed).toBe(links.AttachmentObserved.ATTACHMENT_OBSERVED_APPLIED);
    expect(guestPciAddress).toMatch(/^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/);
  }
  expect(new Set(all.map((row) => row.guestPciAddress)).size).toBe(all.length);
});

test("an attachment refers to its interface, with address and subnet", async () => {
  const [row] = await byPosition();
  const path = { instanceId, id: row!.id };
  const { instanceClusterNetworkAttachment: got } = await tenant.wire.call(get, path);
  expect(got).toEqual(row);
  expect(got?.interface).toMatchObject({ subnet: { id: subnetIds[0] }, deleted: false });
  expect(got?.interface?.primaryIp?.address).toMatch(/^10\./);
});

test("attachments are read in pages that neither repeat nor miss one", async () => {
  const seen: string[] = [];
  for (let pageToken = "", more = true; more; more = pageToken !== "") {
    const request = links.ListInstanceClusterNetworkAttachmentsRequest.fromPartial({
      ...{ instanceId, pageSize: 5, pageToken },
    });
    const page = await tenant.wire.call(list, request);
    seen.push(...page.instanceClusterNetworkAttachments.map(({ id }) => id));
    pageToken = page.nextPageToken;
  }
  expect(seen).toEqual((await rows()).map(({ id }) => id));
});

test("an attachment below another instance is not found", async () => {
  const [row] = await rows();
  const refused = await tenant.wire.refused(get, { instanceId: "ins-nothing", id: row!.id });
  expect(refused.code).toBe(NOT_FOUND);
});
