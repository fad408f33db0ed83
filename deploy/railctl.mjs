// Runs railctl the way a person does and shows it: the command as typed, then its own output. Knows
// the program, not the story that is told with it.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./command.mjs";

const PROGRAM = join(ROOT, "cli", "bin", "railctl.js");
const WIDTH = 100;

/** A railctl command that did not end as expected; what it said stands above or in the message. */
export class RailctlError extends Error {
  constructor(command, { code, stderr }, expect) {
    const wanted = expect === 0 ? "" : ` instead of ${expect}`;
    super(`this command ended with exit code ${code}${wanted}:\n${command}\n${stderr}`.trimEnd());
  }
}

/**
 * Someone who uses railctl: `name` is shown as the prompt, `env` says where and with which token.
 * `signal` ends a running command; `shorten` rewrites arguments for showing.
 */
export function railctlUser({ name, env, signal, shorten = (word) => word }) {
  const call = async (args, { expect = 0, stdio }) => {
    signal.throwIfAborted();
    const answer = await run(args, { env, signal, stdio });
    signal.throwIfAborted();
    if (answer.code === expect) return answer;
    throw new RailctlError(typed(name, args.map(shorten)), answer, expect);
  };
  return {
    /** Runs without showing anything and answers the parsed JSON. */
    async ask(...args) {
      const { stdout } = await call([...args, "-o", "json"], { stdio: "pipe" });
      return JSON.parse(stdout);
    },
    /** Shows the command, then lets it speak for itself; `expect` is the exit code it must have. */
    async show(args, { expect = 0 } = {}) {
      console.log(`\n${typed(name, args.map(shorten))}`);
      await call(args, { expect, stdio: "inherit" });
      if (expect !== 0) console.log(`(exit code ${expect})`);
    },
  };
}

/** The command line as typed at a prompt, folded at the width of a page. */
export function typed(who, args) {
  const lines = [`${who}$ railctl`];
  for (const word of inPairs(args.map(quoted))) {
    const last = lines.length - 1;
    if (lines[last].length + word.length + 3 > WIDTH) {
      lines[last] += " \\";
      lines.push(`    ${word}`);
    } else lines[last] += ` ${word}`;
  }
  return lines.join("\n");
}

// Keeps a flag and its value on one line.
function inPairs(words) {
  const pairs = [];
  for (const [i, word] of words.entries()) {
    const isValue = words[i - 1]?.startsWith("-") && !word.startsWith("-");
    if (isValue) pairs[pairs.length - 1] += ` ${word}`;
    else pairs.push(word);
  }
  return pairs;
}

function quoted(word) {
  return /^[-\w./:=,@+$]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function run(args, { env, signal, stdio }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd: ROOT,
      env,
      stdio: ["ignore", stdio, stdio],
    });
    const stop = () => child.kill("SIGTERM");
    signal.addEventListener("abort", stop, { once: true });
    const texts = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"]) {
      child[stream]?.setEncoding("utf8").on("data", (text) => {
        texts[stream] += text;
      });
    }
    child.once("error", reject);
    child.once("close", (code) => {
      signal.removeEventListener("abort", stop);
      resolve({ code: code ?? 1, ...texts });
    });
  });
}
