// gRPC door of the serial console: frames between wire and use case. No rules; it looks at no byte.
import { withDeadline } from "@railyard/lib/clock";
import { invalidField } from "@railyard/lib/errors";
import { parseId } from "@railyard/lib/ids";
import type { InstanceServiceServer } from "@railyard/proto/gen/railyard/v1/instance";
import {
  type AttachConsoleRequest,
  type AttachConsoleResponse,
  type ConsoleOpen,
  ConsoleCloseReason as Reason,
} from "@railyard/proto/gen/railyard/v1/instance_console";
import { type AttachConsole, attachConsole, type ConsoleLines } from "../service/console.js";
import type { ClientFrame, EndReason, ServerFrame } from "../service/console-relay.js";
import type { ServiceContext } from "../service/context.js";
import type { Handlers } from "./handler.js";

/** How long a client may take to say what it wants. */
const FIRST_MS = 10_000;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

const CLOSED: Readonly<Record<EndReason, readonly [Reason, string]>> = {
  client: [Reason.CONSOLE_CLOSE_REASON_CLIENT, "closed"],
  stopped: [Reason.CONSOLE_CLOSE_REASON_INSTANCE_STOPPED, "the instance stopped"],
  deleted: [Reason.CONSOLE_CLOSE_REASON_INSTANCE_DELETED, "the instance was deleted"],
  moved: [Reason.CONSOLE_CLOSE_REASON_INSTANCE_MOVED, "the instance went to another host"],
  "taken-over": [Reason.CONSOLE_CLOSE_REASON_TAKEN_OVER, "another session took the console over"],
  "host-lost": [Reason.CONSOLE_CLOSE_REASON_HOST_LOST, "the host stopped answering"],
  idle: [Reason.CONSOLE_CLOSE_REASON_IDLE, "nothing was sent for too long"],
};

export function consoleHandlers(
  ctx: ServiceContext,
  lines: ConsoleLines,
): Pick<Handlers<InstanceServiceServer>, "attachConsole"> {
  return {
    async attachConsole(requests, rpc, send) {
      const frames = requests[Symbol.asyncIterator]();
      const limit = { ms: FIRST_MS, what: "the client's first frame" };
      const { value } = await withDeadline(ctx.clock, limit, frames.next());
      const first = value as AttachConsoleRequest | undefined;
      if (first?.frame?.$case !== "open") throw invalidField("open", "must be the first frame");
      const wish = wishOf(first.frame.value);
      const deliver = async (frame: ServerFrame) => send(toWire(frame));
      const client = { frames: framesOf(frames), deliver };
      const call = { ...rpc.tenant(), signal: rpc.signal, wish, client };
      await attachConsole(ctx, lines, call);
    },
  };
}

function wishOf(open: ConsoleOpen): AttachConsole {
  const { instanceId, force, columns, rows, creditBytes } = open;
  return {
    instanceId: parseId("instance", instanceId, "open.instance_id"),
    force,
    columns: columns || DEFAULT_COLUMNS,
    rows: rows || DEFAULT_ROWS,
    creditBytes,
  };
}

async function* framesOf(frames: AsyncIterator<AttachConsoleRequest>): AsyncGenerator<ClientFrame> {
  for (let next = await frames.next(); !next.done; next = await frames.next()) {
    const { frame } = next.value;
    if (frame?.$case === "input") yield { t: "input", bytes: frame.value };
    else if (frame?.$case === "resize") yield { t: "resize", ...frame.value };
    else if (frame?.$case === "credit") yield { t: "credit", bytes: frame.value.bytes };
    else throw invalidField("frame", "must be input, resize or credit once the session is open");
  }
}

function toWire(frame: ServerFrame): AttachConsoleResponse {
  switch (frame.t) {
    case "opened": {
      const value = { sessionId: frame.consoleId, creditBytes: frame.creditBytes };
      return { frame: { $case: "opened", value } };
    }
    case "output":
      return { frame: { $case: "output", value: Buffer.from(frame.bytes) } };
    case "credit":
      return { frame: { $case: "credit", value: { bytes: frame.bytes } } };
    case "closed": {
      const [reason, message] = CLOSED[frame.reason];
      return { frame: { $case: "closed", value: { reason, message } } };
    }
  }
}
