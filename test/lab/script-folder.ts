// Has a machine of the lab run scripts, through a folder that it shares with this machine: scripts
// go in, what they printed comes out. It knows nothing of the machine.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../until.js";

const ASK_MS = 180_000;
const SHOWN = 2_000;

export class ScriptFolder {
  private asked = 0;

  constructor(
    readonly path: string,
    /** Tells the machine that script `number` is there. */
    private readonly call: (number: number) => void,
  ) {}

  /** What a shell script printed there; throws with it when the script failed. */
  async ask(script: string, limitMs = ASK_MS): Promise<string> {
    this.asked += 1;
    const number = this.asked;
    const path = join(this.path, `ask-${number}.sh`);
    writeFileSync(`${path}.draft`, `${script}\n`);
    renameSync(`${path}.draft`, path);
    this.call(number);
    const answer = join(this.path, `answer-${number}`);
    await until(`the answer to ${script.slice(0, 200)}`, () => existsSync(answer), limitMs);
    const text = readFileSync(answer, "utf8");
    const [, said = "", status] = /^([\s\S]*?)LAB-STATUS (\d+)\n$/.exec(text) ?? [];
    if (status !== "0") throw new Error(`${script.slice(0, 200)}: ${text.slice(-SHOWN)}`);
    return said;
  }
}
