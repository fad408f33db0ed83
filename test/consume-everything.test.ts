// Consumes everything: far more is asked for at once, by many accounts over sockets, than there is.
// Exactly as much lands as fits, every refusal is true, nothing is given twice and nothing leaks.
import {
  BatchCreateInstancesRequest,
  DeleteInstanceRequest,
  type Instance,
  InstanceServiceService,
  ListInstancesRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import {
  InstanceStatus,
  InstanceStatusReasonCode,
} from "@railyard/proto/gen/railyard/v1/instance_status";
import {
  CheckCapacityRequest,
  CreateHoldRequest,
  PlacementServiceService,
} from "@railyard/proto/gen/railyard/v1/placement";
import { afterEach, expect, test } from "vitest";
import { type Tenant, WholeYard } from "./consume-everything.js";
import { instanceRequest } from "./customer.js";
import { WireError } from "./wire.js";

const { createInstance, batchCreateInstances, listInstances, deleteInstance } =
  InstanceServiceService;
const { createHold, checkCapacity } = PlacementServiceService;
const WHOLE = "gx3d-152x1536-8h100";
const ATTACHMENTS = 8;
const GROUPS = [5, 4, 3];
const NODES = 12;
const ACCOUNTS = 6;
const HOLD_MS = 60_000;
const ROUNDS = 2;
const { INSTANCE_STATUS_STARTING: STARTING } = InstanceStatus;

let yard: WholeYard;
afterEach(() => yard.close());

const subnets = ({ subnetId }: Tenant) => Array<string>(ATTACHMENTS).fill(subnetId);
const of = (i: number) => yard.tenants[i % yard.tenants.length]!;

async function create(tenant: Tenant): Promise<Instance> {
  const request = instanceRequest("", subnets(tenant));
  return (await tenant.customer.wire.call(createInstance, request)).instance!;
}

async function batch(tenant: Tenant, count: number, over: object = {}): Promise<Instance[]> {
  const { template } = instanceRequest("", subnets(tenant));
  const request = BatchCreateInstancesRequest.fromPartial({ template: template!, count, ...over });
  return (await tenant.customer.wire.call(batchCreateInstances, request)).instances;
}

const shape = (tenant: Tenant, count: number) => {
  return { clusterNetworkId: tenant.networkId, instanceProfile: WHOLE, count };
};

async function hold(tenant: Tenant, count: number, spares = 0) {
  const ttl = { seconds: BigInt(HOLD_MS / 1_000) };
  const request = CreateHoldRequest.fromPartial({
    shape: { ...shape(tenant, count), spares },
    ttl,
  });
  return (await tenant.customer.wire.call(createHold, request)).hold!;
}

/** The value, or how it was refused. */
async function outcome<T>(made: Promise<T>): Promise<T | WireError> {
  return made.catch((err: unknown) => {
    if (err instanceof WireError) return err;
    throw err;
  });
}

function refusals(outcomes: readonly unknown[]): WireError[] {
  return outcomes.filter((one): one is WireError => one instanceof WireError);
}

async function deleteAll(): Promise<void> {
  for (const { customer } of yard.tenants) {
    const all = ListInstancesRequest.fromPartial({ pageSize: 100 });
    const { instances } = await customer.wire.call(listInstances, all);
    const each = instances.map(({ id }) =>
      customer.wire.call(deleteInstance, DeleteInstanceRequest.fromPartial({ id })),
    );
    await Promise.all(each);
  }
  await yard.seeAllGone();
}

/** No device has two claimants, and whoever should have a claim has one, and nobody else. */
async function expectTruth(): Promise<void> {
  const { devices, claimants, wanted } = await yard.claims();
  expect(new Set(devices).size).toBe(devices.length);
  expect(claimants).toEqual(wanted);
}

test("of four times as many creates as bundles exactly as many land as fit", async () => {
  yard = await WholeYard.open(GROUPS, ACCOUNTS);
  for (let round = 0; round < ROUNDS; round++) {
    const made = await Promise.all(Array.from({ length: 4 * NODES }, (_, i) => create(of(i))));
    const { wanted } = await yard.claims();
    expect(wanted).toHaveLength(NODES);
    await expectTruth();
    const refused = made.filter(({ id }) => !wanted.includes(id));
    expect(refused).toHaveLength(3 * NODES);
    for (const { id } of refused) {
      const one = await of(made.findIndex((each) => each.id === id)).customer.get(id);
      const [reason] = one!.statusReasons;
      expect(reason?.code).toBe(
        InstanceStatusReasonCode.INSTANCE_STATUS_REASON_CODE_CANNOT_START_CAPACITY,
      );
      expect(Object.fromEntries(reason!.metadata)).toMatchObject({
        fit: "0",
        waiting_can_help: "true",
      });
    }
    await deleteAll();
    expect(await yard.leaks()).toEqual([]);
  }
});

test("batches, holds and creates at once: all or none each, nothing twice or left", async () => {
  yard = await WholeYard.open(GROUPS, ACCOUNTS);
  for (let round = 0; round < ROUNDS; round++) {
    const asked = Array.from({ length: 24 }, (_, i) => {
      const tenant = of(i);
      const kinds = [() => batch(tenant, 3), () => hold(tenant, 2, 1), () => create(tenant)];
      return outcome<unknown>(kinds[(i + round) % kinds.length]!());
    });
    const made = await Promise.all(asked);
    await expectTruth();
    const refused = refusals(made);
    expect(refused.length).toBeGreaterThan(0);
    for (const err of refused) {
      expect(err.reason).toBe("CAPACITY");
      const { fit, asked: wished } = Object.fromEntries(err.details.info!.metadata);
      expect([wished, Number(fit) < 3]).toEqual(["3", true]);
    }
    const { wanted } = await yard.claims();
    expect(wanted.length).toBeLessThanOrEqual(NODES);
    // Whatever was refused last was refused with less than it needed free.
    expect(NODES - wanted.length).toBeLessThan(3);
    await yard.clock.advance(HOLD_MS + 2_000);
    expect((await yard.claims()).wanted.some((id) => id.startsWith("hold-"))).toBe(false);
    await deleteAll();
    expect(await yard.leaks()).toEqual([]);
  }
});

test("a hold goes to one batch or to its end, whoever races", async () => {
  yard = await WholeYard.open(GROUPS, ACCOUNTS);
  for (let round = 0; round < ROUNDS; round++) {
    const holds = await Promise.all([0, 1, 2].map((i) => hold(of(i), 3, 1)));
    await expectTruth();
    await yard.clock.advance(HOLD_MS - 1);
    // Three batches want each hold, singles want the room, and time runs out meanwhile.
    const racing = holds.flatMap(({ id: holdId }, i) =>
      [0, 1, 2].map(() => outcome(batch(of(i), 3, { holdId }))),
    );
    const singles = Array.from({ length: NODES }, (_, i) => outcome(create(of(i))));
    await new Promise((resolve) => setTimeout(resolve, 5 * round));
    await yard.clock.advance(1);
    const batches = await Promise.all(racing);
    await Promise.all(singles);
    for (const err of refusals(batches)) {
      expect(["HOLD_EXPIRED", "HOLD_CONSUMED"]).toContain(err.reason);
    }
    for (const i of [0, 1, 2]) {
      const ofHold = batches.slice(3 * i, 3 * i + 3);
      const used = ofHold.filter((one) => !(one instanceof WireError));
      expect(used.length).toBeLessThanOrEqual(1);
      const reasons = new Set(refusals(ofHold).map(({ reason }) => reason));
      expect([...reasons]).toEqual([used.length === 1 ? "HOLD_CONSUMED" : "HOLD_EXPIRED"]);
    }
    await yard.clock.advance(2_000);
    await expectTruth();
    await deleteAll();
    expect(await yard.leaks()).toEqual([]);
  }
});

test("a capacity check is what the batch then finds, whatever is taken", async () => {
  yard = await WholeYard.open(GROUPS, ACCOUNTS);
  let agreed = 0;
  for (let round = 0; round < 40; round++) {
    const tenant = of(round);
    const limits = { maxLeafGroups: round % 4, segmentSize: (round % 3) + (round % 2) };
    const closeness = Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit > 0));
    const count = 1 + ((round * 5) % 7);
    const request = CheckCapacityRequest.fromPartial({
      shape: { ...shape(tenant, count), ...closeness },
    });
    const said = await tenant.customer.wire.call(checkCapacity, request);
    const made = await outcome(batch(tenant, count, closeness));
    if (made instanceof WireError) {
      const { fit, waiting_can_help } = Object.fromEntries(made.details.info!.metadata);
      expect([said.fits, said.fitCount, said.waitingCanHelp]).toEqual([
        ...[false, Number(fit), waiting_can_help === "true"],
      ]);
      expect(said.shortfalls.length).toBeGreaterThan(0);
    } else {
      expect([said.fits, said.fitCount]).toEqual([true, count]);
      expect(made.every(({ status }) => status === STARTING)).toBe(true);
      agreed += 1;
    }
    // Some of it is given back now and then, so that the yard is never only full or empty.
    if (round % 3 === 2) {
      const { customer } = of((round - 2) / 3);
      const all = ListInstancesRequest.fromPartial({ pageSize: 100 });
      for (const { id } of (await customer.wire.call(listInstances, all)).instances) {
        await customer.wire.call(deleteInstance, DeleteInstanceRequest.fromPartial({ id }));
      }
      await yard.seeAllGone();
    }
  }
  expect(agreed).toBeGreaterThan(5);
  expect(agreed).toBeLessThan(35);
});
