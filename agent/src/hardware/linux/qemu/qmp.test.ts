// QMP against a made-up QEMU on a real socket.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock, systemClock } from "@railyard/lib/clock";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withQmp } from "./qmp.js";

const owner = process.getuid?.() ?? 0;
const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
let dir: string;
let server: Server | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "qmp-"));
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

type Answer = (command: { execute: string; id: number }) => string;

/** A QEMU that greets and answers each command as told. */
async function listen(answer: Answer, greeting = GREETING): Promise<string> {
  const socket = join(dir, "s");
  const made = createServer((peer) => {
    peer.on("error", () => peer.destroy());
    peer.write(greeting);
    peer.on("data", (data) => {
      for (const line of String(data).split("\n").filter(Boolean)) {
        peer.write(answer(JSON.parse(line)));
      }
    });
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(socket, resolve));
  return socket;
}

const returning: Answer = ({ execute, id }) =>
  `${JSON.stringify({ return: { did: execute }, id })}\r\n`;

test("answers find their questions, also when events come in between", async () => {
  const socket = await listen((command) => `{"event":"RESET","data":{}}\r\n${returning(command)}`);
  const place = { socket, owner, clock: systemClock(), deadlineMs: 60_000 };
  const answers = await withQmp(place, async (qmp) => {
    const both = await Promise.all([qmp.execute("a"), qmp.execute("b")]);
    await qmp.event("RESET");
    return both;
  });
  expect(answers).toEqual([{ did: "a" }, { did: "b" }]);
});

test("what QEMU refuses is told in its words", async () => {
  const socket = await listen((command) =>
    command.execute === "qmp_capabilities"
      ? returning(command)
      : `${JSON.stringify({ error: { class: "X", desc: "no such thing" }, id: command.id })}\n`,
  );
  const place = { socket, owner, clock: systemClock(), deadlineMs: 60_000 };
  await expect(withQmp(place, (qmp) => qmp.execute("a"))).rejects.toThrow(
    "qemu refused a: no such thing",
  );
});

test("of what QEMU says in refusing only the beginning is told", async () => {
  const error = { class: "X", desc: "no ".repeat(100_000) };
  const socket = await listen((command) =>
    command.execute === "qmp_capabilities"
      ? returning(command)
      : `${JSON.stringify({ error, id: command.id })}\n`,
  );
  const place = { socket, owner, clock: systemClock(), deadlineMs: 60_000 };
  const asked = withQmp(place, (qmp) => qmp.execute("a"));
  const message = await asked.then(String, (thrown: Error) => thrown.message);
  expect(message.startsWith("qemu refused a: no no ")).toBe(true);
  expect(message.length).toBeLessThan(300);
});

test("nobody there, another language and silence are three different errors", async () => {
  const clock = new ManualClock();
  const place = { socket: join(dir, "none"), owner, clock, deadlineMs: 5_000 };
  await expect(withQmp(place, async () => 1)).rejects.toThrow("ENOENT");
  const talker = await listen(() => "", "SSH-2.0\r\n");
  await expect(withQmp({ ...place, socket: talker }, async () => 1)).rejects.toThrow(
    "does not speak QMP",
  );
  server?.close();
  rmSync(talker, { force: true });
  const silent = withQmp({ ...place, socket: await listen(() => "", "") }, async () => 1);
  const outcome = silent.catch((thrown) => thrown);
  await clock.advance(5_001);
  expect(await outcome).toMatchObject({ code: "deadline" });
});
