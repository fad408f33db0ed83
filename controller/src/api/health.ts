// grpc.health.v1 over what the composition root says: the listener and each of its services are as
// healthy as the store; the dispatch to agents has a name of its own. Knows neither.
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import { type Clock, sleep } from "@railyard/lib/clock";
import { notFound, refuse } from "@railyard/lib/errors";
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthServer,
  HealthCheckResponse_ServingStatus as Serving,
} from "@railyard/proto/gen/grpc/health/v1/health";
import { toServiceError } from "./grpc-status.js";
import { send } from "./stream.js";

/** Name under which the way to the agents is asked for. */
export const DISPATCH_HEALTH = "railyard.dispatch";

/** How often a watched status is looked at. */
const WATCH_PERIOD_MS = 1_000;
/** Open watches of one listener: nobody is asked who they are. */
export const HEALTH_WATCHES_MAX = 256;

export interface HealthSource {
  /** Whether the store can answer. */
  readonly store: () => Promise<boolean>;
  /** Whether the bus is connected and dispatch runs. */
  readonly dispatch: () => boolean;
}

export interface HealthOptions {
  readonly source: HealthSource;
  /** Full names of the listener's services. */
  readonly services: readonly string[];
  readonly clock: Clock;
  /** Aborts when the listener stops: nothing serves then, and watches end. */
  readonly stopping: AbortSignal;
}

/** Handlers of grpc.health.v1.Health. */
export function healthHandlers(all: HealthOptions): Pick<HealthServer, "check" | "watch"> {
  const options = { ...all, source: { ...all.source, store: shared(all.source.store) } };
  let watches = 0;
  return {
    check(
      call: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
      callback: sendUnaryData<HealthCheckResponse>,
    ) {
      const { service } = call.request;
      void statusOf(options, service).then((status) => {
        if (status !== Serving.SERVICE_UNKNOWN) callback(null, { status });
        else callback(toServiceError(notFound("service", service)));
      });
    },
    watch(call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>) {
      if (watches >= HEALTH_WATCHES_MAX) {
        call.emit("error", toServiceError(TOO_MANY));
        return;
      }
      watches += 1;
      void follow(options, call).finally(() => {
        watches -= 1;
      });
    },
  };
}

const TOO_MANY = refuse("exhausted", `${HEALTH_WATCHES_MAX} health watches are open`, {
  reason: "TOO_MANY_STREAMS",
});

/** The same answer for all who ask before it is there. */
function shared(ask: () => Promise<boolean>): () => Promise<boolean> {
  let asked: Promise<boolean> | undefined;
  return () => {
    asked ??= ask().finally(() => {
      asked = undefined;
    });
    return asked;
  };
}

async function follow(
  options: HealthOptions,
  call: ServerWritableStream<HealthCheckRequest, HealthCheckResponse>,
): Promise<void> {
  const gone = new AbortController();
  call.on("cancelled", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, options.stopping]);
  let told: Serving | undefined;
  while (!signal.aborted) {
    const status = await statusOf(options, call.request.service);
    if (status !== told) await send(call, { status }, signal);
    told = status;
    await sleep(options.clock, WATCH_PERIOD_MS, signal);
  }
  call.end();
}

async function statusOf(options: HealthOptions, service: string): Promise<Serving> {
  const { source, services, stopping } = options;
  const known = service === "" || services.includes(service);
  if (!known && service !== DISPATCH_HEALTH) return Serving.SERVICE_UNKNOWN;
  if (stopping.aborted) return Serving.NOT_SERVING;
  const up = known ? await source.store().catch(() => false) : source.dispatch();
  return up ? Serving.SERVING : Serving.NOT_SERVING;
}
