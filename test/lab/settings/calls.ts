// What single calls of the agent's code come to, made inside the hypervisor on functions of its
// first NIC.
import assert from "node:assert/strict";
import type { VfReading, VfSettings } from "@railyard/agent/hardware/hardware";
import type { VfStray } from "@railyard/agent/model/observed-vf";
import type { Call, Outcome } from "../inside.js";
import type { SimulatedNics } from "./nics.js";
import { inWords, plain } from "./words.js";

const NIC = 0;

interface Row {
  /** What is set, beside the plain settings. */
  readonly change: Partial<VfSettings>;
  /** What somebody does then, and what the agent calls it. */
  readonly words: string;
  readonly stray: VfStray;
}

/** One VF each. */
const ROWS: readonly Row[] = [
  { change: {}, words: "state enable", stray: "state" },
  { change: { vlan: 0 }, words: "state disable", stray: "state" },
  {
    change: { vlan: 4094 },
    words: "max_tx_rate 1000 min_tx_rate 100",
    stray: "min-rate",
  },
  { change: { rateMbps: 0 }, words: "trust on", stray: "trust" },
  // The most that netdevsim keeps: it has sixteen bits for a rate.
  { change: { rateMbps: 65_535 }, words: "vlan 100 qos 3", stray: "vlan-priority" },
  { change: { spoofCheck: false }, words: "vlan 100 proto 802.1ad", stray: "vlan-protocol" },
];
const WANTED = ROWS.map(({ change }, vf) => ({ ...plain(vf), ...change }));

export class SingleCalls {
  private readonly pf: string;

  constructor(private readonly nics: SimulatedNics) {
    this.pf = nics.names[NIC]?.[0] ?? "";
  }

  async areSet(): Promise<void> {
    await this.nics.setVfCount(NIC, ROWS.length);
    const settings = WANTED.map((wanted, vf) => ["configureVf", this.pf, vf, wanted] as const);
    const outcomes = await this.call([...settings, ["readVfs", this.pf]]);
    await this.areAsWanted(outcomes.at(-1));
  }

  async areSetBack(): Promise<void> {
    await this.nics.byHand(ROWS.map(({ words }, vf) => ({ nic: NIC, vf, words })));
    const back = WANTED.map((wanted, vf) => {
      return ["configureVf", this.pf, vf, { ...wanted, astray: [ROWS[vf]?.stray] }] as const;
    });
    const read = ["readVfs", this.pf] as const;
    const outcomes = await this.call([read, ...back, read]);
    assert.deepEqual(
      readIn(outcomes[0]),
      WANTED.map((wanted, vf) => ({ vf, ...wanted, astray: [ROWS[vf]?.stray] })),
    );
    await this.areAsWanted(outcomes.at(-1));
  }

  async areRefused(): Promise<void> {
    const { pf, nics } = this;
    const before = await nics.told(NIC);
    const guid = ["link", "set", "dev", pf, "vf", "0", "node_guid", "00:11:22:33:44:55:66:77"];
    const told = (await this.call([
      ["exec", "ip", guid],
      ["configureVf", pf, 0, { ...plain(0), mac: "01:00:00:00:00:01" }],
      ["configureVf", pf, ROWS.length, plain(0)],
      ["configureVf", pf, 0, { ...plain(0), pkey: 0x100 }],
    ])) as readonly { readonly code?: string; readonly error?: string }[];
    const expected = [
      ["unavailable", /^ip link set .* node_guid .*: RTNETLINK answers: Operation not supported$/],
      ["unavailable", /: RTNETLINK answers: Invalid argument$/],
      ["unavailable", /: Cannot find VF 6$/],
      ["invalid", /pkey/],
    ] as const;
    for (const [at, [code, message]] of expected.entries()) {
      assert.equal(told[at]?.code, code, JSON.stringify(told[at]));
      assert.match(told[at]?.error ?? "", message);
    }
    assert.deepEqual(await nics.told(NIC), before);
    await nics.setVfCount(NIC, 0);
  }

  private call(calls: readonly Call[]): Promise<readonly Outcome[]> {
    return this.nics.inside.call("strict", calls);
  }

  private async areAsWanted(reading: Outcome | undefined): Promise<void> {
    assert.deepEqual(
      readIn(reading),
      WANTED.map((wanted, vf) => ({ vf, ...wanted })),
    );
    assert.deepEqual(await this.nics.told(NIC), WANTED.map(inWords));
  }
}

function readIn(outcome: Outcome | undefined): readonly VfReading[] {
  assert(outcome && "ok" in outcome, JSON.stringify(outcome));
  return outcome.ok as readonly VfReading[];
}
