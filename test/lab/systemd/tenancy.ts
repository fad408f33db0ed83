// One instance on the machine with systemd, and what its unit, its process and the agent's words
// must be. Every method holds one thing against what is seen.
import assert from "node:assert/strict";
import {
  DeleteInstanceRequest,
  InstanceServiceService,
} from "@railyard/proto/gen/railyard/v1/instance";
import type { Customer } from "../../customer.js";
import { IMAGE_ID, INSTANCE_PROFILE } from "../overlay/declared.js";
import { hasStatus, orderNetwork, start, stop } from "../overlay/tenancy.js";
import { patiently } from "../patience.js";
import {
  AGENT,
  DATA_DIR,
  GUEST_USER,
  GUESTS_DIR,
  SETTINGS,
  type SystemdPlant,
  VOLUMES_DIR,
} from "./plant.js";

const WAIT_MS = 120_000;
/** Of the example's catalog. */
const VOLUME = "vol-datasets";
const PATTERN = "railyard-guest-*";
/** What systemd shows of a guest's unit, whatever else it has. */
const CLOSED = {
  ActiveState: "active",
  User: GUEST_USER,
  NoNewPrivileges: "yes",
  ProtectSystem: "strict",
  DevicePolicy: "closed",
  CapabilityBoundingSet: "",
  LimitMEMLOCK: "infinity",
  RestrictAddressFamilies: "AF_UNIX",
  DeviceAllow: "/dev/net/tun rw",
};

export class Tenancy {
  private constructor(
    private readonly plant: SystemdPlant,
    private readonly customer: Customer,
    private readonly id: string,
  ) {}

  static async open(plant: SystemdPlant): Promise<Tenancy> {
    const customer = await plant.tenant();
    const subnets = await orderNetwork(customer, "red");
    const template = { profile: INSTANCE_PROFILE, imageId: IMAGE_ID, volumeIds: [VOLUME] };
    const { id } = await customer.instance("one", subnets, template);
    return new Tenancy(plant, customer, id);
  }

  private get unit(): string {
    return `railyard-guest-${this.id}.service`;
  }

  async run(): Promise<void> {
    await hasStatus(this.customer, this.id);
    const pid = await this.mainPid();
    const said = await this.plant.ask(
      `cat ${GUESTS_DIR}/${this.id}/box/pid; readlink /proc/${pid}/exe`,
    );
    assert.equal(said, `${pid}\n/usr/bin/qemu-system-x86_64\n`);
  }

  async isClosed(): Promise<void> {
    const shown = await this.plant.show(this.unit, Object.keys(CLOSED));
    const wanted = [...shown].filter(([name]) => name in CLOSED);
    assert.deepEqual(Object.fromEntries(wanted), CLOSED);
    const pid = await this.mainPid();
    const status = await this.plant.ask(`cat /proc/${pid}/status`);
    const of = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1];
    assert.equal(of("NoNewPrivs"), "1");
    // A filter, see seccomp(2).
    assert.equal(of("Seccomp"), "2");
    for (const set of ["CapEff", "CapPrm", "CapBnd"]) assert.match(of(set) ?? "", /^0+$/);
    assert.equal(await this.plant.ask(`id -nu $(stat -c %u /proc/${pid})`), `${GUEST_USER}\n`);
  }

  async seesItsOwn(): Promise<void> {
    const pid = await this.mainPid();
    const { plant, id } = this;
    await plant.ask(`mkdir ${GUESTS_DIR}/other; touch ${VOLUMES_DIR}/other.qcow2`);
    // As root, who could do more than the guest's user, where QEMU is.
    const inside = (script: string) => plant.ask(`nsenter -t ${pid} -m sh -c '${script}'`);
    const own = `${GUESTS_DIR}/${id}`;
    assert.equal(await inside(`ls ${DATA_DIR}`), "guests\nvolumes\n");
    assert.equal(await inside(`ls ${GUESTS_DIR}`), `${id}\n`);
    assert.equal(await inside(`ls ${own}`), "box\nseed.iso\n");
    assert.equal(await inside(`ls ${VOLUMES_DIR}`), `${VOLUME}.qcow2\n`);
    await inside(`touch ${own}/box/probe && rm ${own}/box/probe`);
    const kept = [own, `${own}/seed.iso`, GUESTS_DIR, VOLUMES_DIR, DATA_DIR];
    for (const path of [...kept, "/var/lib", "/etc", "/usr", "/sys", "/run"]) {
      const said = await inside(
        `test -d ${path} && p=${path}/probe || p=${path}; touch $p 2>&1 || true`,
      );
      assert.match(said, /Read-only|not permitted|denied/);
    }
    await plant.ask(`rmdir ${GUESTS_DIR}/other; rm ${VOLUMES_DIR}/other.qcow2`);
  }

  async sharesNoSecrets(): Promise<void> {
    const pid = await this.mainPid();
    const { plant } = this;
    const inside = (script: string) => plant.ask(`nsenter -t ${pid} -m sh -c '${script}'`);
    assert.notEqual(await plant.ask(`ls ${SETTINGS}`), "");
    assert.equal(await inside(`ls -A ${SETTINGS}`), "");
    assert.notEqual(await plant.ask("wc -c < /etc/shadow"), "0\n");
    assert.equal(await inside("wc -c < /etc/shadow"), "0\n");
    assert.equal(await inside("find /run -type s"), "");
    assert.equal(await inside("ls -A /proc"), "");
  }

  async outlives(): Promise<void> {
    const { plant, customer, id } = this;
    const [agent, guest] = [await this.mainPid(AGENT), await this.mainPid()];
    const before = await this.welcomes();
    await plant.ask(`systemctl kill --signal=KILL ${AGENT}`);
    await patiently("another agent", async () => {
      const now = await this.mainPid(AGENT);
      return now !== "0" && now !== agent;
    });
    const again = async () => (await this.welcomes()) > before;
    await patiently("the next agent is welcome", again, WAIT_MS);
    await hasStatus(customer, id);
    assert.equal(await this.mainPid(), guest);
  }

  async crashes(): Promise<void> {
    const before = await this.mainPid();
    await this.plant.ask(`kill -SEGV ${before}`);
    await this.saysEnded("SIGSEGV");
    await patiently(
      "another qemu",
      async () => !["0", before].includes(await this.mainPid()),
      WAIT_MS,
    );
    await hasStatus(this.customer, this.id);
  }

  async stops(): Promise<void> {
    await stop(this.customer, this.id);
    await this.leftNothing();
    await start(this.customer, this.id);
    await hasStatus(this.customer, this.id);
  }

  async diesUnseen(): Promise<void> {
    const { customer, id, plant } = this;
    const { deleteInstance } = InstanceServiceService;
    const pid = await this.mainPid();
    // It cannot be restarted before the deletion has reached the agent.
    await plant.ask(`systemctl stop ${AGENT}; kill -KILL ${pid}`);
    await customer.wire.call(deleteInstance, DeleteInstanceRequest.fromPartial({ id }));
    await plant.ask(`systemctl start ${AGENT}`);
    await patiently("the instance is gone", async () => !(await customer.get(id)), WAIT_MS);
    await this.leftNothing();
  }

  private async welcomes(): Promise<number> {
    return (await this.plant.log()).match(/"msg":"welcomed"/g)?.length ?? 0;
  }

  /** Which process a unit is; 0 when it is none. */
  private async mainPid(unit = this.unit): Promise<string> {
    return (await this.plant.show(unit, ["MainPID"])).get("MainPID") ?? "";
  }

  private async saysEnded(signal: string): Promise<void> {
    const words = `qemu was killed by ${signal}`;
    const said = async () =>
      (await this.plant.log())
        .split("\n")
        .some((line) => line.includes("guest ended by itself") && line.includes(words));
    await patiently(`the agent says that ${words}`, said, WAIT_MS);
  }

  private async leftNothing(): Promise<void> {
    const { plant } = this;
    const units = await plant.ask(`systemctl list-units --all --plain --no-legend '${PATTERN}'`);
    assert.equal(units, "");
    assert.equal(await plant.ask("pgrep -f ^/usr/bin/qemu-system || true"), "");
    assert.equal(await plant.ask(`ls ${GUESTS_DIR}`), "");
  }
}
