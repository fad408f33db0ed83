// Runs one outside program of the lab, without a shell and with a deadline. Lab and tests only.
import { execFile } from "node:child_process";

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds; the program is killed after them. */
  readonly limitMs?: number;
  readonly input?: string;
}

/** Standard output of `program`; throws with its complaints when it fails or takes too long. */
export function output(
  program: string,
  args: readonly string[],
  { cwd, env, limitMs = 120_000, input }: RunOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd,
      env: { ...process.env, LC_ALL: "C", ...env },
      timeout: limitMs,
      killSignal: "SIGKILL" as const,
      maxBuffer: OUTPUT_BYTES_MAX,
    };
    const child = execFile(program, args, options, (err, stdout, stderr) => {
      if (!err) return resolve(stdout);
      const said = (stderr || err.message).trim().slice(0, 1000);
      reject(new Error(`${program} ${args.join(" ").slice(0, 200)}: ${said}`, { cause: err }));
    });
    // A program that ends without reading says why by its own exit.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input ?? "");
  });
}
