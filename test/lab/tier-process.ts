// The process that a tier runs in: started, listened to, and ended when told to, with all that it
// started and wrote. It knows no tier.
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { removeFolder } from "../scratch.js";
import type { Told } from "./one-tier.js";

const SCRIPT = join(import.meta.dirname, "one-tier.ts");
/** What a tier has to end its machines in, once told to. */
const END_MS = 10_000;

export interface TierProcess {
  readonly name: string;
  /** What it runs, the name its only argument. */
  readonly script?: string;
  /** Ends it before it is done. */
  readonly signal: AbortSignal;
  readonly onTold: (told: Told) => void;
  /** A line of what it complains about. */
  readonly onComplaint: (line: string) => void;
}

/** Runs a tier; undefined when it held, else how it ended. */
export async function runTierProcess(tier: TierProcess): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "lab-"));
  const child = fork(tier.script ?? SCRIPT, [tier.name], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...process.env, TMPDIR: folder },
    // A group of its own, so that nothing of it is left.
    detached: true,
  });
  child.on("message", (told) => tier.onTold(told as Told));
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on("line", tier.onComplaint);
  }
  try {
    return await ending(child, tier.signal);
  } finally {
    await removeFolder(folder);
  }
}

async function ending(child: ChildProcess, signal: AbortSignal): Promise<string | undefined> {
  let last: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill("SIGTERM");
    last = setTimeout(() => endGroup(child), END_MS);
  };
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  child.once("exit", () => endGroup(child));
  const how = await new Promise<string | undefined>((resolve) => {
    child.once("error", ({ message }) => resolve(message));
    child.once("close", (code, by) => {
      const done = () => resolve(code === 0 ? undefined : `its process ended with ${by ?? code}`);
      // What it told last may still come.
      if (child.connected) child.once("disconnect", done);
      else done();
    });
  });
  signal.removeEventListener("abort", end);
  clearTimeout(last);
  return signal.aborted ? "was ended before it was done" : how;
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All gone.
  }
}
