// What an agent says and hears, without a machine behind it: enough to be welcomed, to accept
// desired states, and to report whatever a test wants reported.
import type { NodeInventory } from "@railyard/controller/domain/node";
import type { Bus } from "@railyard/lib/bus/bus";
import type { NodeId } from "@railyard/lib/ids";
import {
  DesiredAnswer,
  DesiredOutcome,
  Heartbeat,
  Hello,
  HelloAnswer,
  HelloRefusalReason,
  Ping,
  Pong,
  Report,
  SignedDesired,
} from "@railyard/proto/gen/railyard/agent/v1/agent";
import { desiredSubject, nodePermissions, pingSubject, upSubject } from "@railyard/proto/subjects";
import type { DispatchYard } from "./yard.js";

function inventory(): NodeInventory {
  const each = Array.from({ length: 8 }, (_, k) => k);
  const leaf = (k: number, port: number) => `leaf-a${String(2 * k + port + 1).padStart(2, "0")}`;
  return {
    numaCount: 2,
    vcpu: 192,
    memoryMib: 2 ** 21,
    diskGib: 50_000,
    gpus: each.map((k) => {
      return { deviceId: `gpu-${k}`, pciAddress: `0000:${k}1:00.0`, pciId: "10de:2330", numa: 0 };
    }),
    nics: each.map((k) => ({
      deviceId: `nic-${k}`,
      pciAddress: `0000:${k}0:00.0`,
      pciId: "15b3:1021",
      numa: 0,
      pfName: `pf${k}`,
      permanentMac: "02:00:00:00:00:01",
      speedGbps: 400,
      vfsMax: 16,
      ports: [0, 1].map((port) => ({ port, neighbour: leaf(k, port), up: true })),
    })),
    pairs: each.map((k) => ({ gpu: `gpu-${k}`, nic: `nic-${k}` })),
    warnings: [],
    nvSwitches: 0,
    fabricManager: false,
  };
}

/** The inventory of a machine in leaf group su1 as its agent tells it, with what differs. */
export function told(change: Partial<NodeInventory> = {}): NonNullable<Report["inventory"]> {
  const of = { ...inventory(), ...change };
  return { ...of, memoryMib: BigInt(of.memoryMib), diskGib: BigInt(of.diskGib) } as never;
}

/** What an agent says and hears, without a machine. */
export class Agent {
  readonly heard: SignedDesired[] = [];
  answers: DesiredOutcome | "silence" = DesiredOutcome.DESIRED_OUTCOME_ACCEPTED;
  private readonly bus: Bus;

  constructor(
    readonly yard: DispatchYard,
    readonly session: string,
    readonly nodeId: NodeId = yard.nodeId,
  ) {
    this.bus = yard.broker.connect(session, nodePermissions(nodeId));
    this.bus.subscribe(desiredSubject(nodeId, session), (message) => {
      const signed = SignedDesired.decode(message.data);
      this.heard.push(signed);
      if (this.answers === "silence") return;
      const { epoch, generation } = signed;
      const answer = { outcome: this.answers, epoch, generation, message: "" };
      message.respond(DesiredAnswer.encode(answer).finish());
    });
    this.bus.subscribe(pingSubject(nodeId, session), (message) => {
      const asked = Ping.decode(message.data);
      message.respond(Pong.encode(asked).finish());
    });
  }

  async hello(change: Partial<Hello> = {}): Promise<HelloAnswer["outcome"]> {
    const message = Hello.fromPartial({
      nodeId: this.nodeId,
      session: this.session,
      incarnation: 1n,
      bootId: "boot",
      serial: "GH1001",
      agentVersion: "1",
      fake: true,
      inventory: told(),
      ...change,
    });
    return this.ask(Hello.encode(message).finish());
  }

  async ask(data: Uint8Array): Promise<HelloAnswer["outcome"]> {
    const subject = upSubject(this.nodeId, "hello");
    const answer = this.bus.request(subject, data, { timeoutMs: 10_000 });
    await this.yard.pass(1_200);
    return HelloAnswer.decode(await answer).outcome;
  }

  say(what: "heartbeat" | "report", data: Uint8Array): Promise<void> {
    this.bus.publish(upSubject(this.nodeId, what), data);
    return this.yard.pass();
  }

  heartbeat(change: Partial<Heartbeat> = {}): Promise<void> {
    const { nodeId, session } = this;
    const beat = Heartbeat.fromPartial({ nodeId, session, epoch: 1n, ...change });
    return this.say("heartbeat", Heartbeat.encode(beat).finish());
  }

  async report(change: Partial<Report> = {}): Promise<void> {
    const { nodeId, session } = this;
    const { generation } = await this.yard.node();
    const base = { nodeId, session, epoch: 1n, generation, complete: true };
    const report = Report.fromPartial({ ...base, ...change } as Partial<Report>);
    return this.say("report", Report.encode(report).finish());
  }

  /** Silent from now on. */
  die(): Promise<void> {
    return this.bus.close();
  }
}

/** The refusal's name, or `welcome`. */
export function refusedFor(outcome: HelloAnswer["outcome"]): string {
  return outcome?.$case === "refusal" ? HelloRefusalReason[outcome.value.reason] : "welcome";
}
