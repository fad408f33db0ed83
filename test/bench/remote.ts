// A part of the bench that runs in a process of its own and is asked questions: both sides of the
// pipe. Knows no question.
import { type ChildProcess, fork } from "node:child_process";
import { openSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ASK_MS_MAX = 10 * 60_000;

interface Question {
  readonly id: number;
  readonly ask: string;
  readonly given: unknown;
}
interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: string;
}

/** Answers questions by name until the asking process is gone. */
export function serve(handlers: Readonly<Record<string, (given: never) => unknown>>): void {
  process.on("message", async ({ id, ask, given }: Question) => {
    const answer: Answer = await Promise.resolve()
      .then(() => handlers[ask]?.(given as never))
      .then(
        (value) => ({ id, value }),
        (err: Error) => ({ id, failure: `${err.message}\n${err.stack}` }),
      );
    process.send?.(answer);
  });
  process.on("disconnect", () => process.exit(0));
}

export class Remote {
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private nextId = 1;

  private constructor(private readonly child: ChildProcess) {
    child.on("message", (answer: Answer) => {
      this.waiting.get(answer.id)?.(answer);
      this.waiting.delete(answer.id);
    });
    child.on("exit", (code, signal) => {
      for (const [id, tell] of this.waiting) tell({ id, failure: `it ended: ${code ?? signal}` });
      this.waiting.clear();
    });
  }

  /** Starts `file` of this folder; its standard output goes to the file `log`. */
  static start(file: string, log: string, execArgv: readonly string[] = []): Remote {
    const path = fileURLToPath(new URL(`./${file}.js`, import.meta.url));
    const out = openSync(log, "a", 0o600);
    const stdio = ["ignore", out, "inherit", "ipc"] as const;
    return new Remote(fork(path, [], { stdio: [...stdio], execArgv: [...execArgv] }));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  ask<T>(ask: string, given: unknown = {}): Promise<T> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${ask}: no answer`)), ASK_MS_MAX);
      this.waiting.set(id, ({ value, failure }) => {
        clearTimeout(timer);
        if (failure === undefined) resolve(value as T);
        else reject(new Error(`${ask}: ${failure}`));
      });
      this.child.send({ id, ask, given } satisfies Question, (err) => err && reject(err));
    });
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGKILL");
    await gone;
  }
}
