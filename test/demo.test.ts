// The demo as a person starts it: it succeeds twice at once, shows what it promises, and whatever
// ends it early, nothing runs afterwards and no data are left.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { removeFolder } from "./scratch.js";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LIMIT_MS = 900_000;
const GONE_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 50;

interface Demo {
  readonly child: ChildProcess;
  /** The only place for its temporary data. */
  readonly folder: string;
  readonly output: () => string;
  readonly ended: Promise<number | string>;
}

const demos: Demo[] = [];

afterEach(async () => {
  for (const { child, folder } of demos.splice(0)) {
    child.kill("SIGKILL");
    await until("what a failed test left has ended", () => endProcessesOf(folder));
    await removeFolder(folder);
  }
});

// Detached: a process group of its own, as a terminal's foreground job has.
function startDemo(env: NodeJS.ProcessEnv = {}): Demo {
  const folder = mkdtempSync(join(tmpdir(), "demo-test-"));
  const child = spawn(process.execPath, [join(ROOT, "deploy", "demo.mjs")], {
    env: { ...process.env, TMPDIR: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
  }
  const ended = once(child, "close").then(([code, signal]) => code ?? signal);
  const demo = { child, folder, output: () => text, ended };
  demos.push(demo);
  return demo;
}

// A process belongs to a demo when the demo's folder stands in its arguments or environment.
function processesOf(folder: string): number[] {
  const mentions = (pid: string) =>
    ["cmdline", "environ"].some((file) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, "utf8").includes(folder);
      } catch {
        return false;
      }
    });
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter(mentions)
    .map(Number);
}

/** Whether none is left. */
function endProcessesOf(folder: string): boolean {
  const left = processesOf(folder);
  for (const pid of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
  return left.length === 0;
}

async function until(what: string, holds: () => boolean, limitMs = LIMIT_MS): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** Waits until the demo has shown `text`; fails at once when it ended without. */
async function shown({ child, output }: Demo, text: string): Promise<void> {
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  await until(text, () => output().includes(text) || hasEnded());
  expect(output()).toContain(text);
}

async function expectNothingLeft({ folder }: Demo): Promise<void> {
  await until("no process is left", () => processesOf(folder).length === 0, GONE_WITHIN_MS);
  expect(readdirSync(folder)).toEqual([]);
}

/** The output between one shown command and the next. */
function answerTo(output: string, command: string): string {
  const from = output.indexOf(command);
  expect(from, command).toBeGreaterThanOrEqual(0);
  return output.slice(from, output.indexOf("$ railctl", from + command.length));
}

/** The first column of a table's rows, where it is a number. */
function positions(answer: string): number[] {
  return answer.split("\n").flatMap((line) => {
    const [, position] = /^(\d+) /.exec(line) ?? [];
    return position === undefined ? [] : [Number(position)];
  });
}

test("two demos at once succeed, show every layout in order and leave nothing behind", {
  timeout: LIMIT_MS,
}, async () => {
  const both = [startDemo(), startDemo()];
  for (const demo of both) {
    expect(await demo.ended, demo.output().slice(-4_000)).toBe(0);
    await expectNothingLeft(demo);
    const output = demo.output();
    for (const [name, count] of Object.entries({ "train-1": 8, "train-2": 16, "train-3": 32 })) {
      const layout = answerTo(output, `acme$ railctl instance layout ${name}`);
      expect(positions(layout)).toEqual(Array.from({ length: count }, (_, i) => i));
    }
    expect(output).toContain("cannot_start_capacity");
    expect(output).toContain("(exit code 8)");
    expect(answerTo(output, "operator$ railctl placement explain")).toContain("one more node of");
    expect(answerTo(output, "acme$ railctl instance start train-7")).toContain("running");
  }
});

test("Ctrl-C in the middle ends the demo and everything that it started", {
  timeout: LIMIT_MS,
}, async () => {
  const demo = startDemo();
  await shown(demo, "railctl node wait");
  process.kill(-demo.child.pid!, "SIGINT");
  expect(await demo.ended).toBe(130);
  expect(demo.output()).toContain("interrupted by SIGINT");
  await expectNothingLeft(demo);
});

test("a demo that is killed leaves neither processes nor data", {
  timeout: LIMIT_MS,
}, async () => {
  const demo = startDemo();
  await shown(demo, "railctl mzone apply");
  process.kill(demo.child.pid!, "SIGKILL");
  expect(await demo.ended).toBe("SIGKILL");
  await until("data are removed", () => readdirSync(demo.folder).length === 0, GONE_WITHIN_MS);
  await expectNothingLeft(demo);
});

test("a demo whose broker does not start says so and leaves nothing behind", {
  timeout: LIMIT_MS,
}, async () => {
  const demo = startDemo({ NATS_SERVER: "/bin/false" });
  expect(await demo.ended).toBe(1);
  expect(demo.output()).toContain("broker ended with exit code 1");
  await expectNothingLeft(demo);
});
