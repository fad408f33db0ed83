// One gRPC listener: every service of the contract that belongs to it, health, reflection, limits
// of the transport, and an orderly end. Knows no RPC by name.
import type { EventEmitter } from "node:events";
import * as grpc from "@grpc/grpc-js";
import { withDeadline } from "@railyard/lib/clock";
import { bug, refuse } from "@railyard/lib/errors";
import { HealthService } from "@railyard/proto/gen/grpc/health/v1/health";
import { sessionsBelow } from "./below.js";
import { type BoundRpc, bindRpc, type Gate, type Incoming, runCall } from "./call.js";
import { ClientWaits } from "./client-waits.js";
import { ConnectionLives } from "./connection-life.js";
import type { Patience } from "./connections.js";
import { guard } from "./door.js";
import { RECEIVE_BYTES_MAX } from "./exchange.js";
import { writerTo } from "./frames.js";
import { toServiceError } from "./grpc-status.js";
import type { AnyHandlers } from "./handler.js";
import { type HealthSource, healthHandlers } from "./health.js";
import { interceptor } from "./interceptor.js";
import { LateSignal } from "./late-signal.js";
import { GONE } from "./one-answer.js";
import { REFLECTION_SERVICES, reflectionHandler } from "./reflection.js";
import { rpcsOf, serviceName } from "./services.js";
import { received } from "./stream.js";

/** How long calls under way may take to end once the listener stops. */
export const DRAIN_MS = 2_000;

/** Limits that grpc-js leaves open by itself. Session memory is in megabytes. */
const TRANSPORT: grpc.ServerOptions = {
  "grpc.max_receive_message_length": RECEIVE_BYTES_MAX,
  "grpc.max_concurrent_streams": 256,
  "grpc-node.max_session_memory": 32,
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 20_000,
  // Counts every call and message, for nobody.
  "grpc.enable_channelz": 0,
};

export interface ApiOptions extends Gate {
  readonly services: readonly grpc.ServiceDefinition[];
  readonly handlers: AnyHandlers;
  readonly health: HealthSource;
  /** The descriptor image to reflect; undefined switches reflection off. */
  readonly reflect: Uint8Array | undefined;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** Connections; absent: CONNECTIONS_MAX. */
  readonly connectionsMax?: number | undefined;
  /** Connections from one address; absent: CONNECTIONS_PER_PEER_MAX. */
  readonly perPeerMax?: number | undefined;
}

export class ApiServer {
  /** RPCs with one request and one answer, by path. */
  private readonly single = new Map<string, BoundRpc>();
  private readonly server: grpc.Server;
  private readonly stopping = new AbortController();
  private readonly waits: ClientWaits;
  private readonly lives: ConnectionLives;
  /** Of everything that is served. */
  private readonly paths = new Set<string>();

  /** Throws `bug` when an RPC is missing from the access table, or a handler belongs to no RPC. */
  constructor(private readonly options: ApiOptions) {
    // Whatever grpc-js has to say comes back to us as an error, and is logged in our own form.
    grpc.setLogVerbosity(grpc.logVerbosity.NONE);
    this.waits = new ClientWaits(options.clock);
    this.lives = new ConnectionLives(options.clock);
    const passing = { gate: options, single: this.single, waits: this.waits, lives: this.lives };
    const interceptors = [interceptor(passing)];
    this.server = new grpc.Server({ ...TRANSPORT, interceptors });
    const { services, handlers } = options;
    const known = services.flatMap(rpcsOf);
    const strangers = Object.keys(handlers).filter((key) => !known.some((rpc) => rpc.key === key));
    if (strangers.length > 0) throw bug(`handlers of no RPC: ${strangers.join(", ")}`);
    for (const service of services) this.addService(service);
    this.addHealthAndReflection();
  }

  /** Binds `host:port` (port 0: any free one) and answers from then on; resolves with the port. */
  listen(at: { readonly host: string; readonly port: number }): Promise<number> {
    const { tls } = this.options;
    const credentials = tls
      ? grpc.ServerCredentials.createSsl(null, [{ private_key: tls.key, cert_chain: tls.cert }])
      : grpc.ServerCredentials.createInsecure();
    const address = `${at.host}:${at.port}`;
    return new Promise((resolve, reject) => {
      this.server.bindAsync(address, credentials, (cause, port) => {
        if (cause) {
          reject(refuse("unavailable", `cannot listen on ${address}`, { cause }));
          return;
        }
        guard(this.server, this.paths, this.patience());
        resolve(port);
      });
    });
  }

  private patience(): Patience {
    const { waits, lives, stopping } = this;
    const { clock, connectionsMax, perPeerMax } = this.options;
    return { clock, waits, lives, stopping: stopping.signal, connectionsMax, perPeerMax };
  }

  /** Takes no new calls, lets those under way end for DRAIN_MS, then cuts what is left. */
  async stop(): Promise<void> {
    const { clock, log } = this.options;
    this.stopping.abort(refuse("unavailable", "the server is stopping"));
    const drained = new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
    const limit = { ms: DRAIN_MS, what: "open calls" };
    await withDeadline(clock, limit, drained).catch(() => {
      log.warn({}, "open calls were cut");
      for (const session of sessionsBelow(this.server)) session.destroy();
    });
    this.server.forceShutdown();
    this.waits.stop();
    this.lives.stop();
  }

  private addService(service: grpc.ServiceDefinition): void {
    const { limits, handlers } = this.options;
    const raw: Record<string, grpc.MethodDefinition<Buffer, Buffer>> = {};
    const calls: Record<string, grpc.UntypedHandleCall> = {};
    for (const definition of rpcsOf(service)) {
      const rpc = bindRpc(definition, limits, handlers);
      const { path, requestStream, responseStream } = definition.definition;
      if (!requestStream && !responseStream) this.single.set(path, rpc);
      raw[definition.key] = { ...definition.definition, ...AS_BYTES };
      calls[definition.key] = this.receiver(rpc);
    }
    this.add(raw, calls);
  }

  private add(service: grpc.ServiceDefinition, calls: grpc.UntypedServiceImplementation): void {
    this.server.addService(service, calls);
    for (const { path } of Object.values(service)) this.paths.add(path);
  }

  /** How grpc-js begins a call; those with one request and one answer never come to it. */
  private receiver(rpc: BoundRpc): grpc.UntypedHandleCall {
    if (rpc.definition.definition.responseStream) {
      return (call: ManyAnswers) => {
        this.run(rpc, this.download(call)).then(
          () => call.end(),
          (error) => call.emit("error", toServiceError(error)),
        );
      };
    }
    return (call: OneAnswer, answer: grpc.sendUnaryData<Buffer>) => {
      this.run(rpc, this.incoming(call)).then(
        (bytes) => answer(null, bytes),
        (error) => answer(toServiceError(error)),
      );
    };
  }

  private async run(rpc: BoundRpc, incoming: Incoming): Promise<Buffer> {
    return runCall(this.options, rpc, incoming);
  }

  private incoming(call: OneAnswer | ManyAnswers): Incoming {
    const gone = new LateSignal();
    (call as EventEmitter).on("cancelled", () => gone.end(GONE));
    return {
      metadata: call.metadata,
      requests: "request" in call ? [call.request] : received(call, gone.signal),
      write: () => Promise.reject(bug("this call answers once")),
      remainingMs: Number(call.getDeadline()) - this.options.clock.now(),
      gone,
    };
  }

  /** A stream of responses ends when the listener stops; it may have no other end. */
  private download(call: ManyAnswers): Incoming {
    const incoming = this.incoming(call);
    return {
      ...incoming,
      write: writerTo(call),
      gone: new LateSignal(() => [incoming.gone.signal, this.stopping.signal]),
    };
  }

  private addHealthAndReflection(): void {
    const { services, health: source, reflect, clock } = this.options;
    const stopping = this.stopping.signal;
    const own = services.map(serviceName);
    const handlers = healthHandlers({ source, services: own, clock, stopping });
    this.add(HealthService, handlers);
    if (!reflect) return;
    const shown = [...own, ...[HealthService, ...REFLECTION_SERVICES].map(serviceName)];
    const reflection = { image: reflect, services: shown, clock, stopping };
    const serverReflectionInfo = reflectionHandler(reflection);
    for (const service of REFLECTION_SERVICES) {
      this.add(service, { serverReflectionInfo });
    }
  }
}

/** Messages stay bytes in grpc-js: decoding and encoding fail under our own error mapping. */
const AS_BYTES = {
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
};

type ManyAnswers =
  | grpc.ServerWritableStream<Buffer, Buffer>
  | grpc.ServerDuplexStream<Buffer, Buffer>;
type OneAnswer = grpc.ServerReadableStream<Buffer, Buffer>;
