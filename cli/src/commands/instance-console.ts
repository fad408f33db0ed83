// railctl instance console: a guest's serial console in this terminal, or over pipes.
import { InstanceServiceService as service } from "@railyard/proto/gen/railyard/v1/instance";
import {
  type ConsoleClosed,
  ConsoleCloseReason as Reason,
} from "@railyard/proto/gen/railyard/v1/instance_console";
import type { Command } from "commander";
import { durationMs } from "../config.js";
import { attach } from "../console/attach.js";
import { DEFAULT_ESCAPE, escapeByte } from "../console/escape.js";
import { TerminalFilter } from "../console/filter.js";
import { EXIT } from "../exit-code.js";
import type { Run } from "../program.js";
import type { Session } from "../session.js";
import { withRawKeys } from "../terminal.js";
import { instanceId } from "./instance-lookup.js";

/** Adds the verb to `railctl instance`. */
export function addInstanceConsole(noun: Command, run: Run): void {
  noun
    .command("console <instance>")
    .description("attach to the serial console of a running instance")
    .option("--force", "take it over from another session")
    .option("--raw", "show every byte, even what could act on this terminal")
    .option("--escape <key>", "control key that leaves, or none", DEFAULT_ESCAPE)
    .option("--linger <duration>", "leave so long after the last answer to a pipe", "1s")
    .action(run(attachTo));
}

interface ConsoleFlags {
  readonly force?: boolean;
  readonly raw?: boolean;
  readonly escape: string;
  readonly linger: string;
}

async function attachTo(
  session: Session,
  flags: ConsoleFlags,
  [text = ""]: readonly string[],
): Promise<void> {
  const { force = false, raw = false } = flags;
  const leaveKey = escapeByte(flags.escape);
  const lingerMs = durationMs(flags.linger, "--linger");
  const id = await instanceId(session, text);
  const terminal = session.terminal();
  const shown = new TerminalFilter();
  const filter = raw ? (bytes: Uint8Array) => bytes : (bytes: Uint8Array) => shown.push(bytes);
  const stream = session.tenant.duplex(service.attachConsole, session.watchEndsAt);
  const onOpen = () => {
    const how = leaveKey === undefined ? "" : `, ${flags.escape} leaves`;
    if (terminal.tty) session.note(`attached to ${text}${how}\r`);
  };
  const closed = await withRawKeys(terminal, (signal) => {
    const { clock } = session;
    const about = { stream, terminal, clock, instanceId: id, force };
    return attach({ ...about, leaveKey, filter, lingerMs, signal, onOpen });
  });
  if (closed) tell(session, text, closed);
  else if (terminal.tty) session.note(`\nleft ${text}`);
}

function tell(session: Session, text: string, { reason, message }: ConsoleClosed): void {
  session.note(`console of ${text} closed: ${message}`);
  if (reason === Reason.CONSOLE_CLOSE_REASON_HOST_LOST) session.exitCode = EXIT.unavailable;
  if (reason === Reason.CONSOLE_CLOSE_REASON_TAKEN_OVER) session.exitCode = EXIT.conflict;
}
