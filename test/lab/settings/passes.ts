// What the agent's passes come to over virtual functions of which every setting can go wrong.
import assert from "node:assert/strict";
import type { DesiredInstance, PassReport } from "@railyard/agent/model";
import { patiently } from "../patience.js";
import { NAMES, StandIn } from "./machine.js";
import type { SimulatedNics } from "./nics.js";
import { inWords, plain, UNUSED } from "./words.js";

/** Of each NIC, all of them one instance's. */
const VFS = 4;

/** One word for each VF of the instance: lost on the way, it is missed under the name beside it. */
const LOST: readonly (readonly [word: string, name: string, before?: string])[] = [
  // A VF without an address on vfio-pci counts as somebody's leavings, and is cleared.
  ["mac", "mac, vlan, rate"],
  ["vlan", "vlan"],
  ["max_tx_rate", "rate"],
  ["spoofchk", "spoof-check", "spoofchk off"],
  ["trust", "trust", "trust on"],
  ["state", "state", "state disable"],
  ["min_tx_rate", "min-rate", "max_tx_rate 5 min_tx_rate 5"],
];

/** One change for each VF of the instance, while its guest runs. */
const BEHIND: readonly string[] = [
  "mac 02:00:00:99:99:99",
  "vlan 999",
  "max_tx_rate 5",
  "spoofchk off",
  "trust on",
  "state disable",
  "min_tx_rate 5",
  "vlan 100 proto 802.1ad",
];

/** One instance that has all VFs of both NICs. */
export class Passes {
  private constructor(
    private readonly nics: SimulatedNics,
    private readonly machine: StandIn,
    private readonly instance: DesiredInstance,
  ) {}

  static async open(nics: SimulatedNics, folder: string): Promise<Passes> {
    const machine = await StandIn.open(nics, folder);
    return new Passes(nics, machine, await instance(machine));
  }

  close(): Promise<void> {
    return this.machine.close();
  }

  async miss(): Promise<void> {
    const { machine, instance } = this;
    await machine.want({ vfsPerNic: VFS, instances: [] });
    await machine.report(isEmpty);
    await this.byHand(LOST.map(([, , before]) => before));
    machine.lose((nic, vf, word) => LOST[nic * VFS + vf]?.[0] === word);
    await machine.want({ vfsPerNic: VFS, instances: [instance] });
    const { instances } = await machine.report((report) => failuresIn(report).length > 0);
    assert.equal(instances[0]?.phase, "applying");
    assert.deepEqual(
      instances[0].failures.filter(({ key }) => key.startsWith("configure-vf ")),
      LOST.map(([, name], at) => {
        const { nic, vf } = instance.attachments[at] ?? {};
        const reason = `was done, but reads back otherwise: ${name}`;
        return { key: `configure-vf ${nic} ${vf}`, reason };
      }),
    );
    assert.deepEqual(await machine.guests(), []);
  }

  async run(): Promise<void> {
    this.machine.lose(() => false);
    await this.machine.report(isPresent);
    assert.deepEqual(await this.told(), this.wanted());
  }

  async mend(): Promise<void> {
    await this.byHand(BEHIND);
    const changed = await this.told();
    for (const [at, words] of this.wanted().entries()) assert.notEqual(changed[at], words);
    this.machine.look();
    await patiently(
      "all is as it was",
      async () => String(await this.told()) === this.wanted().join(),
    );
    const { instances } = await this.machine.report(isPresent);
    assert.equal(instances[0]?.facts?.bootCount, 1);
  }

  async giveBack(): Promise<void> {
    await this.byHand(["state disable min_tx_rate 5"]);
    await this.machine.want({ vfsPerNic: VFS, instances: [] });
    await this.machine.report(isEmpty);
    assert.deepEqual(
      await this.told(),
      this.instance.attachments.map(() => UNUSED),
    );
  }

  private wanted(): readonly string[] {
    return this.instance.attachments.map((_, at) => inWords(plain(at)));
  }

  /** One text for each VF, or none. */
  private byHand(texts: readonly (string | undefined)[]): Promise<void> {
    const changes = texts.map((words, at) => ({ nic: Math.floor(at / VFS), vf: at % VFS, words }));
    const meant = changes.flatMap(({ words, ...vf }) => (words ? [{ ...vf, words }] : []));
    return this.nics.byHand(meant);
  }

  private async told(): Promise<readonly string[]> {
    return (await Promise.all(NAMES.map((_, nic) => this.nics.told(nic)))).flat();
  }
}

function failuresIn({ instances }: PassReport) {
  return instances.flatMap(({ failures }) => failures);
}

function isEmpty({ complete, instances, residues }: PassReport): boolean {
  return complete && instances.length + residues.length === 0;
}

function isPresent({ instances }: PassReport): boolean {
  return instances[0]?.phase === "present";
}

async function instance(standIn: StandIn): Promise<DesiredInstance> {
  const { pairs } = await standIn.inventory();
  const attachments = pairs.flatMap(({ nic }, pair) =>
    Array.from({ length: VFS }, (_, vf) => {
      const position = pair * VFS + vf;
      return {
        ...{ attachmentId: `a${position}`, position, rail: pair, pair, nic, vf },
        ...plain(position),
        ...{ address: `10.0.${pair}.${vf + 5}/24`, mtu: 9000 },
        isolation: { kind: "vlan" as const, id: 100 },
      };
    }),
  );
  return {
    ...{ instanceId: "ins-lab", name: "one", bootCount: 1, vcpu: 8, memoryMib: 1024 },
    ...{ gpus: pairs.map(({ gpu }) => gpu), attachments },
    image: { id: "img", path: "/i", sha256: "", sizeBytes: 1 },
    ...{ volumes: [], vpcNics: [], userData: new Uint8Array(), sshKeys: [] },
    metadataService: { enabled: false, protocol: "http", hopLimit: 1 },
  };
}
