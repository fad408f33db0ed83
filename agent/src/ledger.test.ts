// Tests of the ledger on a real directory: what it accepts, and what it makes of damaged files.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { judge, type Ledger, type LedgerOptions, openLedger } from "./ledger.js";
import type { Desired, SignedDesired } from "./model.js";

const made: string[] = [];
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
});

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), "ledger-"));
  made.push(dir);
  return dir;
}

function decode({ epoch, generation }: SignedDesired): Desired {
  return { epoch, generation, vfsPerNic: 4, instances: [], faults: [] };
}

function opened(dir: string, over: Partial<LedgerOptions> = {}): Promise<Ledger> {
  return openLedger({
    directory: dir,
    serial: "S1",
    bootId: "b",
    nodeId: "node-1",
    session: "ses-1",
    decode,
    failpoint: () => undefined,
    ...over,
  });
}

function signed(epoch: number, generation: number, text = `${epoch}/${generation}`): SignedDesired {
  return {
    nodeId: "node-1",
    session: "ses-1",
    epoch: BigInt(epoch),
    generation: BigInt(generation),
    body: Buffer.from(text),
    signature: Buffer.from("signature"),
  };
}

function accept(ledger: Ledger, message: SignedDesired) {
  return ledger.accept(message, decode(message));
}

test("partitions that may be active are remembered over a restart, on their machine", async () => {
  const dir = directory();
  const seen = { bootId: "b", partitions: [{ id: 7, gpus: ["gpu-0"] }] };
  const ledger = await opened(dir);
  expect(ledger.partitions).toBeUndefined();
  await ledger.remember({ bootId: "b", partitions: [] });
  expect(readdirSync(dir)).toEqual([]);
  await ledger.remember(seen);
  expect((await opened(dir)).partitions).toEqual(seen);
  const other = await opened(dir, { serial: "S2" });
  expect(other.partitions).toBeUndefined();
  expect(other.warnings.map(({ kind }) => kind)).toEqual(["other-machine"]);
  await ledger.remember({ bootId: "c", partitions: [] });
  expect((await opened(dir)).partitions).toEqual({ bootId: "c", partitions: [] });
});

test("an accepted state is there after a restart", async () => {
  const dir = directory();
  expect(await accept(await opened(dir), signed(1, 7))).toBe("accepted");
  const again = await opened(dir);
  expect(again.desired).toMatchObject({ epoch: 1n, generation: 7n });
  expect(again.signed).toMatchObject({ nodeId: "node-1", body: Buffer.from("1/7") });
  expect(again.warnings).toEqual([]);
  expect(statSync(join(dir, "ledger.json")).mode & 0o077).toBe(0);
});

const MATRIX: readonly (readonly [string, SignedDesired, string])[] = [
  ["a higher generation", signed(2, 6), "accepted"],
  ["a higher epoch with a lower generation", signed(3, 1), "accepted"],
  ["an exact repetition", signed(2, 5), "repeated"],
  ["the same content for another session", { ...signed(2, 5), session: "ses-2" }, "repeated"],
  ["a lower generation", signed(2, 4), "stale"],
  ["a lower epoch with a higher generation", signed(1, 9), "stale"],
  ["other content under the same generation", signed(2, 5, "other"), "contradictory"],
];

test.each(MATRIX)("%s is answered across a restart", async (_, message, answer) => {
  const dir = directory();
  await accept(await opened(dir), signed(2, 5));
  const ledger = await opened(dir, { session: "ses-2" });
  expect(await accept(ledger, message)).toBe(answer);
  const held = answer === "accepted" ? message : signed(2, 5);
  expect((await opened(dir)).desired?.generation).toBe(held.generation);
});

test("a truncated, emptied or edited file counts as an empty ledger with a warning", async () => {
  const dir = directory();
  const path = join(dir, "ledger.json");
  await accept(await opened(dir), signed(1, 7));
  const whole = readFileSync(path, "utf8");
  for (const text of [whole.slice(0, 60), "", "null", whole.replace('"7"', '"8"')]) {
    writeFileSync(path, text);
    const ledger = await opened(dir);
    expect(ledger.desired).toBeUndefined();
    expect(ledger.warnings).toMatchObject([{ kind: "corrupt" }]);
  }
  const ledger = await opened(dir);
  expect(await accept(ledger, signed(1, 8))).toBe("accepted");
  expect((await opened(dir)).desired?.generation).toBe(8n);
});

test("of a state that was lost, what was applied still keeps older ones out", async () => {
  const dir = directory();
  const before = await opened(dir);
  await accept(before, signed(2, 7));
  await before.applied(decode(signed(2, 7)));
  for (const text of ["", undefined]) {
    rmSync(join(dir, "ledger.json"));
    if (text !== undefined) writeFileSync(join(dir, "ledger.json"), text);
    const ledger = await opened(dir);
    for (const older of [signed(2, 6), signed(1, 9)]) {
      expect([ledger.judge(older), await accept(ledger, older)]).toEqual(["stale", "stale"]);
    }
    expect([ledger.desired, ledger.reached.generation]).toEqual([undefined, 7n]);
    expect(await accept(ledger, signed(2, 7))).toBe("accepted");
    expect(ledger.appliedGeneration).toBe(7n);
  }
  expect(await accept(await opened(dir), signed(3, 1))).toBe("accepted");
});

test("a ledger of another machine is put aside", async () => {
  const dir = directory();
  await accept(await opened(dir), signed(1, 7));
  const ledger = await opened(dir, { serial: "S2" });
  expect(ledger.desired).toBeUndefined();
  expect(ledger.warnings).toMatchObject([{ kind: "other-machine" }]);
});

test("a machine without a serial of its own restores no ledger", async () => {
  const dir = directory();
  await accept(await opened(dir, { serial: "" }), signed(1, 7));
  const ledger = await opened(dir, { serial: "" });
  expect(ledger.desired).toBeUndefined();
  expect(ledger.warnings).toMatchObject([{ kind: "other-machine" }]);
});

test("a ledger of another node counts for nothing, state and progress alike", async () => {
  const dir = directory();
  const before = await opened(dir);
  await accept(before, signed(1, 7));
  await before.applied(decode(signed(1, 7)));
  const ledger = await opened(dir, { nodeId: "node-2" });
  expect(ledger.desired).toBeUndefined();
  expect(ledger.warnings.map((w) => w.kind)).toEqual(["other-node", "other-node"]);
  const first = { ...signed(1, 1), nodeId: "node-2" };
  expect(await accept(ledger, first)).toBe("accepted");
  const again = await opened(dir, { nodeId: "node-2" });
  expect(again.desired?.generation).toBe(1n);
});

test("a state from a backup, older than one applied here, is not acted on", async () => {
  const dir = directory();
  const ledger = await opened(dir);
  await accept(ledger, signed(1, 6));
  const backup = readFileSync(join(dir, "ledger.json"));
  await accept(ledger, signed(1, 7));
  await ledger.applied(decode(signed(1, 7)));
  writeFileSync(join(dir, "ledger.json"), backup);
  const restored = await opened(dir);
  expect(restored.desired).toBeUndefined();
  expect(restored.warnings).toMatchObject([{ kind: "outdated" }]);
});

test("a body that no longer decodes is put aside", async () => {
  const dir = directory();
  await accept(await opened(dir), signed(1, 7));
  const fails = () => {
    throw new Error("no");
  };
  const ledger = await opened(dir, { decode: fails });
  expect(ledger.desired).toBeUndefined();
  expect(ledger.warnings).toMatchObject([{ kind: "undecodable" }]);
});

test("a file that the system does not let be read is named, and none counts as empty", async () => {
  const dir = directory();
  mkdirSync(join(dir, "ledger-progress.json"));
  const message = `${join(dir, "ledger-progress.json")} cannot be read: EISDIR`;
  await expect(opened(dir)).rejects.toMatchObject({ code: "unavailable", cause: { message } });
});

test("a crash between writing and renaming leaves the state before, and no litter", async () => {
  const dir = directory();
  await accept(await opened(dir), signed(1, 7));
  writeFileSync(join(dir, "ledger.json.ses-9.tmp"), "half a fi");
  expect((await opened(dir)).desired?.generation).toBe(7n);
  expect(readdirSync(dir)).toEqual(["ledger.json"]);
});

test("a write that fails leaves the state before in force, and can be repeated", async () => {
  const dir = directory();
  const ledger = await opened(dir);
  await accept(ledger, signed(1, 7));
  rmSync(dir, { recursive: true });
  await expect(accept(ledger, signed(1, 8))).rejects.toMatchObject({ code: "unavailable" });
  expect(ledger.desired?.generation).toBe(7n);
  await opened(dir);
  expect(await accept(ledger, signed(1, 8))).toBe("accepted");
});

test("the failpoint is reached when the file is safe, before the answer", async () => {
  const dir = directory();
  const seen: string[] = [];
  const ledger = await opened(dir, {
    failpoint: (name) => seen.push(`${name} ${readdirSync(dir).join()}`),
  });
  await accept(ledger, signed(1, 7));
  expect(seen).toEqual(["after-ledger-fsync ledger.json"]);
});

test("steps begun are known after a restart, until nothing is left to do", async () => {
  const dir = directory();
  const ledger = await opened(dir);
  await accept(ledger, signed(1, 7));
  await ledger.applying(["start-guest ins-1"]);
  expect((await opened(dir)).interrupted).toEqual(["start-guest ins-1"]);
  await ledger.applied(decode(signed(1, 7)));
  const again = await opened(dir);
  expect(again.interrupted).toEqual([]);
  expect(again.appliedGeneration).toBe(7n);
});

test("the applied generation never falls, and counts in its epoch only", async () => {
  const ledger = await opened(directory());
  await accept(ledger, signed(1, 7));
  await ledger.applied(decode(signed(1, 7)));
  await ledger.applied(decode(signed(1, 6)));
  expect(ledger.appliedGeneration).toBe(7n);
  await accept(ledger, signed(2, 1));
  expect(ledger.appliedGeneration).toBe(0n);
});

const message = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 }))
  .map(([epoch, generation]) => signed(epoch, generation));

function highest(messages: readonly SignedDesired[]): SignedDesired | undefined {
  const order = (m: SignedDesired) => m.epoch * 1000n + m.generation;
  return messages.reduce<SignedDesired | undefined>(
    (best, m) => (best && order(best) >= order(m) ? best : m),
    undefined,
  );
}

test("any order with any repetitions ends at the highest, and never goes back", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 40 }), (messages) => {
      let held: SignedDesired | undefined;
      for (const m of messages) {
        const answer = judge(held, m);
        expect(answer).not.toBe("contradictory");
        if (answer === "accepted") held = m;
      }
      expect(held?.body.toString()).toEqual(highest(messages)?.body.toString());
    }),
  );
});

test("the same holds on disk, with restarts in between", async () => {
  const run = async (messages: readonly (readonly [SignedDesired, boolean])[]) => {
    const dir = directory();
    let ledger = await opened(dir);
    for (const [m, restarts] of messages) {
      if (restarts) ledger = await opened(dir);
      await accept(ledger, m);
    }
    const top = highest(messages.map(([m]) => m));
    expect((await opened(dir)).signed?.body.toString()).toBe(top?.body.toString());
  };
  const sequences = fc.array(fc.tuple(message, fc.boolean()), { maxLength: 8 });
  await fc.assert(fc.asyncProperty(sequences, run), { numRuns: 15 });
});
