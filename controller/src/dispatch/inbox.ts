// Hears the agents: hello, heartbeat, report. Every queue is bounded, the newest report of a node
// wins, and nothing that an agent can send stops it. What a message means is the services'.
import type { Bus, Message, Subscription } from "@railyard/lib/bus/bus";
import { asRailyardError } from "@railyard/lib/errors";
import { isId, type NodeId } from "@railyard/lib/ids";
import { Heartbeat, Report } from "@railyard/proto/gen/railyard/agent/v1/agent";
import { nodeOfSubject, type UpSubject, upFromAll } from "@railyard/proto/subjects";
import type { ServiceContext } from "../service/context.js";
import type { Lease, Said } from "../service/leases.js";
import { presentSession } from "../service/session.js";
import { takeReport } from "../service/status.js";
import { reportFrom } from "./convert.js";
import { answerHello, type Door, unavailable } from "./hello.js";

export interface InboxOptions {
  readonly ctx: ServiceContext;
  readonly bus: Bus;
  /** base64url; recognises our own signature on what an agent accepted. */
  readonly signingPublicKey: string;
  /** How often agents are told to give a sign of life, milliseconds. */
  readonly heartbeatMs: number;
  /** A session was welcomed: send it the node's desired state. */
  readonly onWelcome: (nodeId: NodeId) => void;
  /** The node's heartbeat says something new. */
  readonly onNews: (nodeId: NodeId) => void;
}

/** Hellos of one node that wait for their turn; more are told to come again. */
export const HELLOS_WAITING_MAX = 4;
/** Nodes whose reports are taken at the same time. */
export const REPORTS_AT_ONCE_MAX = 16;
/** Nodes with a report waiting; one each, the newest. */
export const REPORTS_WAITING_MAX = 20_000;
/** Bytes of a heartbeat that are kept to recognise the next one; all names at their longest fit. */
const WORDS_MAX = 512;
/** Controllers that share the work. */
const QUEUE = "controller";

/** Who may speak for a node, and what it said last. */
interface Speaker {
  readonly session: string;
  heard?: {
    /** The heartbeat byte for byte; undefined: too long to be kept. */
    readonly words: string | undefined;
    /** What they mean, and the lease that they renewed. */
    readonly said: Said;
    readonly lease: Lease;
  };
}

interface Heard {
  readonly beat: Heartbeat;
  readonly words: string | undefined;
}

export class Inbox {
  private readonly subscriptions: Subscription[] = [];
  private readonly speakers = new Map<NodeId, Speaker>();
  private readonly looking = new Set<NodeId>();
  private readonly hellos = new Map<NodeId, { waiting: number; last: Promise<void> }>();
  private readonly reports = new Map<NodeId, Uint8Array>();
  private readonly taking = new Map<NodeId, Promise<void>>();
  private readonly door: Door;

  constructor(private readonly options: InboxOptions) {
    const { ctx, bus, signingPublicKey, heartbeatMs } = options;
    this.door = { ctx, bus, signingPublicKey, heartbeatMs };
  }

  start(): void {
    this.hear("hello", (nodeId, message) => this.hearHello(nodeId, message));
    this.hear("heartbeat", (nodeId, message) => this.hearHeartbeat(nodeId, message));
    this.hear("report", (nodeId, message) => this.hearReport(nodeId, message));
  }

  /** Hears nothing more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    for (const subscription of this.subscriptions.splice(0)) subscription.cancel();
    this.reports.clear();
    await Promise.all([...this.taking.values(), ...[...this.hellos.values()].map((h) => h.last)]);
  }

  private hear(what: UpSubject, take: (nodeId: NodeId, message: Message) => void): void {
    const { bus } = this.options;
    // Every controller keeps its own leases; the other messages are shared out.
    const options = what === "heartbeat" ? {} : { queue: QUEUE };
    const subscription = bus.subscribe(
      upFromAll(what),
      (message) => {
        const nodeId = nodeOfSubject(message.subject);
        if (!isId(nodeId)) return;
        try {
          take(nodeId as NodeId, message);
        } catch (thrown) {
          this.complain(nodeId, what, thrown);
        }
      },
      options,
    );
    this.subscriptions.push(subscription);
  }

  private hearHello(nodeId: NodeId, message: Message): void {
    const queue = this.hellos.get(nodeId) ?? { waiting: 0, last: Promise.resolve() };
    if (queue.waiting >= HELLOS_WAITING_MAX) {
      message.respond(unavailable("too many hellos of this node wait"));
      return;
    }
    this.hellos.set(nodeId, queue);
    queue.waiting += 1;
    queue.last = queue.last
      .then(() => this.takeHello(nodeId, message))
      .finally(() => {
        queue.waiting -= 1;
        if (queue.waiting === 0) this.hellos.delete(nodeId);
      });
  }

  private async takeHello(nodeId: NodeId, message: Message): Promise<void> {
    const { answer, welcomed } = await answerHello(this.door, nodeId, message.data);
    if (welcomed !== undefined) this.speakers.set(nodeId, { session: welcomed });
    message.respond(answer);
    if (welcomed !== undefined) this.options.onWelcome(nodeId);
  }

  /** A node with nothing new says the same, byte for byte: it is not even decoded. */
  private hearHeartbeat(nodeId: NodeId, { data }: Message): void {
    const words = data.length > WORDS_MAX ? undefined : asText(data);
    const speaker = this.speakers.get(nodeId);
    const heard = speaker?.heard;
    if (heard && heard.words === words && words !== undefined) {
      if (this.options.ctx.leases.renew(heard.lease, heard.said)) return;
    }
    const beat = Heartbeat.decode(data);
    if (beat.nodeId !== nodeId || !isId(beat.session)) return;
    if (speaker?.session === beat.session) this.beat(nodeId, speaker, { beat, words });
    else if (!this.looking.has(nodeId)) void this.lookUp(nodeId, { beat, words });
  }

  private beat(nodeId: NodeId, speaker: Speaker, { beat, words }: Heard): void {
    const { leases } = this.options.ctx;
    const { session, epoch, acceptedGeneration, appliedGeneration, digest } = beat;
    const before = leases.said(nodeId);
    const said = { session, epoch, acceptedGeneration, appliedGeneration, digest };
    speaker.heard = { words, said, lease: leases.beat(nodeId, said) };
    const isNews =
      before?.digest !== digest ||
      before.acceptedGeneration !== acceptedGeneration ||
      before.appliedGeneration !== appliedGeneration;
    if (isNews) this.options.onNews(nodeId);
  }

  /** The sender is not the session known here: another controller may have welcomed it. */
  private async lookUp(nodeId: NodeId, heard: Heard): Promise<void> {
    this.looking.add(nodeId);
    try {
      const { session } = heard.beat;
      const present = await presentSession(this.options.ctx, nodeId, session);
      if (present === undefined) this.speakers.delete(nodeId);
      else {
        const speaker = { session: present };
        this.speakers.set(nodeId, speaker);
        if (present === session) this.beat(nodeId, speaker, heard);
      }
    } catch (thrown) {
      this.complain(nodeId, "heartbeat", thrown);
    } finally {
      this.looking.delete(nodeId);
    }
  }

  private hearReport(nodeId: NodeId, message: Message): void {
    const isFull = this.reports.size >= REPORTS_WAITING_MAX && !this.reports.has(nodeId);
    // The agent reports again with its next period.
    if (isFull) return;
    this.reports.set(nodeId, message.data);
    this.takeReports();
  }

  private takeReports(): void {
    for (const [nodeId, data] of this.reports) {
      if (this.taking.size >= REPORTS_AT_ONCE_MAX) return;
      if (this.taking.has(nodeId)) continue;
      this.reports.delete(nodeId);
      const taking = this.take(nodeId, data).finally(() => {
        this.taking.delete(nodeId);
        this.takeReports();
      });
      this.taking.set(nodeId, taking);
    }
  }

  private async take(nodeId: NodeId, data: Uint8Array): Promise<void> {
    try {
      await takeReport(this.options.ctx, reportFrom(nodeId, Report.decode(data)));
    } catch (thrown) {
      this.complain(nodeId, "report", thrown);
    }
  }

  private complain(nodeId: string, what: UpSubject, thrown: unknown): void {
    const err = asRailyardError(thrown);
    this.options.ctx.log.warn({ nodeId, what, code: err.code, err: thrown }, "message not taken");
  }
}

/** One character for each byte: quicker to compare than bytes, and lighter to keep. */
function asText(data: Uint8Array): string {
  const bytes = Buffer.isBuffer(data)
    ? data
    : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes.toString("latin1");
}
