// Tier: isolation ids as partition keys on an InfiniBand fabric, simulated, under a real OpenSM
// that an agent with the fabric role drives for a controller. The proofs ask the ports themselves.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { guidOf } from "@railyard/lib/guid";
import { NodeServiceService } from "@railyard/proto/gen/railyard/admin/v1/node";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import type { Customer } from "../../customer.js";
import { FABRIC, INSTANCE_PROFILE, InfinibandYard, PKEYS } from "../../infiniband-yard.js";
import { until } from "../../until.js";
import { output } from "../program.js";
import type { Tier } from "../tier.js";
import { PROGRAMS, SimulatedFabric } from "./sim.js";

const PACKAGES = ["ibsim-utils", "opensm", "infiniband-diags"];
const INSTALL_MS = 300_000;
const [PKEY] = PKEYS;
const FULL = 0x8000;
const LIMITED_DEFAULT = 0x7fff;
/** Two instances of two ports each. */
const PORTS = 4;

export const partitions: Tier = {
  name: "infiniband",
  about: "partition keys programmed by OpenSM for an agent with the fabric role, and read back",
  needs,
  async run({ proof, note }) {
    note("starting ibsim and OpenSM");
    const fabric = await SimulatedFabric.start(PORTS);
    const ib = await InfinibandYard.open();
    try {
      await ib.startFabric(fabric.subnetManager());
      const customer = await ib.customer("lab");
      const red = await placed(ib, customer, "red");
      const blue = await placed(ib, customer, "blue");
      await proof("what its host attested does not run before the ports are on the fabric", () =>
        waits(customer, red.id),
      );
      for (const guid of [...red.guids, ...blue.guids]) fabric.plug(guid);
      await proof("both instances run once OpenSM has programmed their ports", async () => {
        await customer.running(red.id);
        await customer.running(blue.id);
      });
      await proof(
        "each network is a partition of its own, and no port is a full member of the default one",
        async () => {
          await carry(fabric, red.guids, [LIMITED_DEFAULT, PKEY | FULL]);
          await carry(fabric, blue.guids, [LIMITED_DEFAULT, (PKEY + 1) | FULL]);
        },
      );
      await proof("the fabric's agent applied the generation that the controller has", () =>
        applied(ib),
      );
      await customer.delete(red.id);
      await proof(
        "a deleted instance is gone once its ports were read back without it",
        async () => {
          await customer.gone(red.id);
          await carry(fabric, red.guids, [LIMITED_DEFAULT]);
        },
      );
      await proof("its neighbour kept its partition", () =>
        carry(fabric, blue.guids, [LIMITED_DEFAULT, (PKEY + 1) | FULL]),
      );
      await proof("with the fabric's agent stopped, everything stays as it is", async () => {
        await ib.yard.stopAgent(FABRIC);
        await carry(fabric, blue.guids, [LIMITED_DEFAULT, (PKEY + 1) | FULL]);
        const still = await customer.get(blue.id);
        assert.equal(still?.status, InstanceStatus.INSTANCE_STATUS_RUNNING);
      });
    } finally {
      await ib.close();
      await fabric.stop();
    }
  },
};

async function needs(note: (line: string) => void): Promise<string | undefined> {
  const missing = () => Object.values(PROGRAMS).filter((path) => !existsSync(path));
  if (process.platform !== "linux") return "needs Linux";
  if (missing().length === 0) return undefined;
  if (process.getuid?.() !== 0) return `needs the packages ${PACKAGES.join(" ")}`;
  note(`installing ${PACKAGES.join(" ")}`);
  // No service of theirs is to be started.
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const install = ["install", "-y", "-qq", "--no-install-recommends", ...PACKAGES];
  try {
    await output("/usr/bin/apt-get", ["update", "-qq"], { env, limitMs: INSTALL_MS });
    await output("/usr/bin/apt-get", install, { env, limitMs: INSTALL_MS });
  } catch (thrown) {
    return `needs packages: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  }
  return missing().length === 0 ? undefined : `${missing().join(" ")} missing`;
}

interface Placed {
  readonly id: string;
  readonly guids: readonly string[];
}

/** An instance on a network of its own, with the port GUIDs that it is meant to have. */
async function placed(ib: InfinibandYard, customer: Customer, name: string): Promise<Placed> {
  const subnets = await ib.network(customer, name);
  const { id } = await customer.instance(name, subnets, { profile: INSTANCE_PROFILE });
  const subject = { $case: "instanceId" as const, value: id };
  const { rows } = await ib.yard.operator.call(NodeServiceService.getPlacedLayout, { subject });
  const guids = rows.map(({ macAddress, isolationId }) =>
    guidOf({ mac: macAddress, pkey: isolationId }),
  );
  return { id, guids };
}

async function waits(customer: Customer, id: string): Promise<void> {
  const instance = await until("its host attested", async () => {
    const seen = await customer.get(id);
    return seen?.lifecycleReasons.length === 1 ? seen : undefined;
  });
  assert.equal(instance.status, InstanceStatus.INSTANCE_STATUS_STARTING);
}

async function carry(
  fabric: SimulatedFabric,
  guids: readonly string[],
  pkeys: readonly number[],
): Promise<void> {
  // The simulator serves ten programs at a time, and the agent asks it as well.
  const ports = await until("every port answers", async () => {
    const reading = await fabric.subnetManager().readPorts();
    return reading.unread.length === 0 ? reading.ports : undefined;
  });
  for (const guid of guids) {
    assert.deepEqual(ports.find((port) => port.guid === guid)?.pkeys, pkeys, guid);
  }
}

async function applied({ yard }: InfinibandYard): Promise<void> {
  await until("the generations meet", async () => {
    const node = await yard.node(FABRIC);
    return node !== undefined && node.appliedGeneration === node.desiredGeneration;
  });
}
