// A real controller in this process whose RPCs are called through the gate, without a socket: the
// same tokens, roles, limits, handlers and store. Also the made-up world such calls are about.
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Metadata } from "@grpc/grpc-js";
import { type BoundRpc, bindRpc, type Gate, runCall } from "@railyard/controller/api/call";
import { toServiceError } from "@railyard/controller/api/grpc-status";
import { LateSignal } from "@railyard/controller/api/late-signal";
import type { ApiOptions } from "@railyard/controller/api/server";
import { type Controller, createController } from "@railyard/controller/controller";
import { openSqlite } from "@railyard/controller/store/sqlite";
import { MemoryBroker } from "@railyard/lib/bus/memory";
import { systemClock } from "@railyard/lib/clock";
import { asRailyardError, type RailyardError, refuse } from "@railyard/lib/errors";
import { silentLog } from "@railyard/lib/log";
import { controllerPermissions } from "@railyard/proto/subjects";
import { removeFolder } from "../scratch.js";
import { type DescribedRpc, nameOf, RPCS } from "./descriptors.js";

/** How long any call may take before it counts as hanging, milliseconds. */
const HANG_MS = 30_000;
/**
 * How long a stream of answers that says nothing is listened to: longer than a busy machine takes
 * to refuse it.
 */
const LISTEN_MS = 1_000;
const ENOUGH = refuse("unavailable", "enough was heard");

/** How a call ended: undefined when it was answered. */
export type Outcome = RailyardError | undefined;

export interface OpenGate {
  readonly controller: Controller;
  readonly operatorToken: string;
  /** One call with one encoded message, or several for an RPC that takes a stream. */
  call(rpc: DescribedRpc, token: string, ...messages: Uint8Array[]): Promise<Outcome>;
  close(): Promise<void>;
}

export async function openGate(): Promise<OpenGate> {
  const dir = mkdtempSync(join(tmpdir(), "railyard-gate-"));
  const controller = await inMemory(dir);
  await controller.start();
  const gates = gatesOf(controller);
  const bound = new Map<string, BoundRpc>(
    RPCS.map((one) => {
      const { limits, handlers } = gates[one.listener];
      return [nameOf(one), bindRpc(one.rpc, limits, handlers)];
    }),
  );
  return {
    controller,
    operatorToken: readFileSync(join(dir, "operator.token"), "utf8").trim(),
    call: (rpc, token, ...messages) =>
      outcome(gates[rpc.listener], bound.get(nameOf(rpc))!, { token, messages }),
    async close() {
      await controller.stop();
      await removeFolder(dir);
    },
  };
}

/** The gates of both listeners: nobody else needs them, so the controller does not show them. */
function gatesOf(controller: Controller): Record<DescribedRpc["listener"], ApiOptions> {
  const { tenantApi, adminApi } = controller as unknown as Record<string, { options: ApiOptions }>;
  return { tenant: tenantApi!.options, admin: adminApi!.options };
}

async function inMemory(dataDir: string): Promise<Controller> {
  const onFatal = (err: unknown) => {
    throw err;
  };
  const clock = systemClock();
  const log = silentLog();
  const store = await openSqlite({ path: ":memory:", clock, log, onFatal });
  const bus = new MemoryBroker(clock).connect("controller", controllerPermissions());
  const config = {
    ...{ listen: { host: "127.0.0.1", port: 0 }, adminListen: { host: "127.0.0.1", port: 0 } },
    ...{ dataDir, broker: "127.0.0.1:1", brokerPidFile: "", region: "us-east" },
    ...{ heartbeatMs: 60_000, leaseMs: 600_000, quarantineMs: 1_000, reflection: true },
    logLevel: "silent" as const,
  };
  return createController(config, { store, bus, log });
}

async function outcome(
  gate: Gate,
  rpc: BoundRpc,
  { token, messages }: { readonly token: string; readonly messages: readonly Uint8Array[] },
): Promise<Outcome> {
  const metadata = new Metadata();
  if (token !== "") metadata.set("authorization", `Bearer ${token}`);
  const gone = new LateSignal();
  const enough = () => gone.end(ENOUGH);
  const { responseStream } = rpc.definition.definition;
  const timer = responseStream ? setTimeout(enough, LISTEN_MS) : undefined;
  try {
    const requests = each(messages);
    const write = async () => enough();
    const incoming = { metadata, requests, write, remainingMs: HANG_MS, gone };
    await runCall(gate, rpc, incoming);
    return undefined;
  } catch (thrown) {
    return thrown === ENOUGH ? undefined : answerable(asRailyardError(thrown));
  } finally {
    clearTimeout(timer);
  }
}

/** The refusal, which must be one that the server can put on the wire. */
function answerable(refusal: RailyardError): RailyardError {
  // As grpc-js does with the message of a status.
  encodeURI(toServiceError(refusal).details);
  return refusal;
}

async function* each(messages: readonly Uint8Array[]): AsyncGenerator<Buffer> {
  for (const bytes of messages) yield Buffer.from(bytes);
}
