// Tests of console sessions against pretended guests, over real pseudo terminals.
import { sha256Hex } from "@railyard/lib/canonical";
import { ManualClock, systemClock } from "@railyard/lib/clock";
import { refuse } from "@railyard/lib/errors";
import { silentLog } from "@railyard/lib/log";
import { seededRng } from "@railyard/lib/rng";
import { consoleTicketBytes, createSigner, createVerifier, newSeed } from "@railyard/lib/sign";
import { beforeEach, expect, test, vi } from "vitest";
import { OUTPUT_BYTES_MAX } from "./console/session.js";
import { Tickets } from "./console/ticket.js";
import { Consoles } from "./console.js";
import { PretendSerial } from "./hardware/fake/console.js";
import type { ConsoleFrame, ConsoleTicket, SignedTicket } from "./model/console.js";

const SIGNER = createSigner(newSeed(seededRng("controller")));
const GUEST = {
  ...{ name: "gpu-one", bootCount: 1, vcpu: 4, memoryMib: 64, runsFromMs: 0 },
  functions: [{ guestAddress: "0000:11:00.0" }, { guestAddress: "0000:21:00.0" }],
};
const CREDIT = 1024 * 1024;

let guests: Map<string, typeof GUEST>;
let serial: PretendSerial;
let consoles: Consoles;
let count = 0;
beforeEach(() => {
  guests = new Map([["ins-1", GUEST]]);
  serial = new PretendSerial(systemClock(), (id) => guests.get(id));
  consoles = new Consoles({
    ...{ nodeId: "node-1", session: "ses-1", clock: systemClock(), log: silentLog() },
    verify: createVerifier(SIGNER.publicKey),
    isPlaced: ({ generation }) => generation === 5n,
    hardware: { guestConsole: async (id) => serial.reach(id) },
  });
  return () => consoles.stop();
});

function signed(change: Partial<ConsoleTicket> = {}): SignedTicket {
  const ticket: ConsoleTicket = {
    ...{ nodeId: "node-1", session: "ses-1", consoleId: `con-${count++}`, instanceId: "ins-1" },
    ...{ epoch: 1n, generation: 5n, gpus: [], force: false, columns: 80, rows: 24 },
    ...{ expiresAtMs: Date.now() + 10_000, creditBytes: CREDIT },
    ...change,
  };
  const text = JSON.stringify(ticket, (_, value) =>
    typeof value === "bigint" ? `${value}` : value,
  );
  const body = Buffer.from(text);
  return { ticket, body, signature: SIGNER.sign(consoleTicketBytes(sha256Hex(body))) };
}

async function attach(change: Partial<ConsoleTicket> = {}) {
  const frames: ConsoleFrame[] = [];
  const outcome = await consoles.open(signed(change), (frame) => frames.push(frame));
  if (!outcome.ok) throw new Error(outcome.refusal);
  const said = () =>
    Buffer.concat(frames.flatMap((f) => (f.t === "data" ? [f.bytes] : []))).toString();
  const type = (text: string) => outcome.console.hear({ t: "data", bytes: Buffer.from(text) });
  return { frames, said, type, hear: outcome.console.hear, end: () => frames.at(-1) };
}

async function refusalOf(ticket: SignedTicket): Promise<string> {
  const outcome = await consoles.open(ticket, () => undefined);
  return outcome.ok ? "opened" : `${outcome.refusal}: ${outcome.message}`;
}

const eventually = (check: () => void) => vi.waitFor(check, { interval: 5 });

test("what is typed reaches the guest and its answer comes back unchanged", async () => {
  const one = await attach();
  await eventually(() => expect(one.said()).toContain("root@gpu-one:~# "));
  one.type("lspci\r");
  await eventually(() => {
    expect(one.said()).toContain("lspci\r\n0000:11:00.0 made-up function 0\r\n0000:21:00.0");
  });
  expect(one.said()).not.toContain("\r\r\n");
});

test("the guest is told the terminal's size, and every later one", async () => {
  const one = await attach({ columns: 132, rows: 50 });
  one.type("stty size\r");
  await eventually(() => expect(one.said()).toContain("\r\n50 132\r\n"));
  one.hear({ t: "size", columns: 90, rows: 30 });
  one.type("stty size\r");
  await eventually(() => expect(one.said()).toContain("\r\n30 90\r\n"));
});

test("a reader that gives no credit stops the guest instead of filling memory", async () => {
  const one = await attach({ creditBytes: 20_000 });
  one.type("yes\r");
  await eventually(() => expect(one.said().length).toBe(20_000));
  one.hear({ t: "credit", bytes: 5_000 });
  await eventually(() => expect(one.said().length).toBe(25_000));
  one.hear({ t: "credit", bytes: 100 * OUTPUT_BYTES_MAX });
  await eventually(() => expect(one.said().length).toBe(25_000 + OUTPUT_BYTES_MAX));
});

test("input beyond the credit given ends the session", async () => {
  const one = await attach();
  one.hear({ t: "data", bytes: Buffer.alloc(1024 * 1024) });
  expect(one.end()).toEqual({ t: "end", reason: "lost" });
});

test("credit for input comes back once the guest has taken it", async () => {
  const one = await attach();
  for (let i = 0; i < 100; i++) {
    one.type("#".repeat(1_000));
    const given = () => one.frames.reduce((sum, f) => sum + (f.t === "credit" ? f.bytes : 0), 0);
    await eventually(() => expect(given()).toBeGreaterThan((i + 1) * 1_000 - 8_000));
  }
});

test("a second session is refused, or takes over and the first is told", async () => {
  const one = await attach();
  expect(await refusalOf(signed())).toMatch("busy");
  const two = await attach({ force: true });
  expect(one.end()).toEqual({ t: "end", reason: "taken-over" });
  two.type("hostname\r");
  await eventually(() => expect(two.said()).toContain("hostname\r\ngpu-one\r\n"));
  expect(one.said()).not.toContain("hostname");
});

test("the session ends when its guest does, after the guest's last words", async () => {
  const one = await attach();
  one.type("echo last words\r");
  await eventually(() => expect(one.said()).toContain("last words\r\n"));
  guests.clear();
  serial.hangUp("ins-1");
  await eventually(() => expect(one.end()).toEqual({ t: "end", reason: "stopped" }));
  expect(await refusalOf(signed())).toMatch("not-running");
});

test("a session without credit ends all the same when its guest does", async () => {
  const one = await attach({ creditBytes: 0 });
  serial.hangUp("ins-1");
  await eventually(() => expect(one.end()).toEqual({ t: "end", reason: "stopped" }));
});

test("a client that leaves frees the console", async () => {
  const one = await attach();
  one.hear({ t: "end", reason: "client" });
  await attach();
});

test("a reboot is seen on the line", async () => {
  const one = await attach();
  guests.set("ins-1", { ...GUEST, bootCount: 2 });
  serial.reboot("ins-1");
  await eventually(() => expect(one.said()).toContain("boot 2"));
});

test("a ticket is good once, for this session and placement only", async () => {
  const ticket = signed();
  expect(await refusalOf(ticket)).toBe("opened");
  expect(await refusalOf(ticket)).toBe("bad-ticket: it was used before");
  expect(await refusalOf(signed({ session: "ses-2" }))).toMatch("it is for somebody else");
  expect(await refusalOf(signed({ nodeId: "node-2" }))).toMatch("it is for somebody else");
  expect(await refusalOf(signed({ generation: 4n }))).toMatch("bad-ticket: no such placement");
  const forged = { ...signed(), signature: new Uint8Array(64) };
  expect(await refusalOf(forged)).toMatch("its signature is not ours");
  const other = { ...signed(), body: Buffer.from("other") };
  expect(await refusalOf(other)).toMatch("its signature is not ours");
});

test("a ticket expires, and is not good for ever", () => {
  const clock = new ManualClock();
  const verify = () => true;
  const tickets = new Tickets({ nodeId: "node-1", session: "ses-1", clock, verify });
  const until = (ms: number) => signed({ expiresAtMs: clock.now() + ms });
  expect(tickets.take(until(-1))).toBe("it has expired");
  expect(tickets.take(until(24 * 3_600_000))).toMatch("for too long");
  expect(tickets.take(until(1_000))).toBeUndefined();
});

test("without node-pty the session is refused, and says why", async () => {
  const openTerminal = () => Promise.reject(refuse("unavailable", "node-pty is not installed"));
  const poor = new Consoles({
    ...{ nodeId: "node-1", session: "ses-1", clock: systemClock(), log: silentLog() },
    verify: createVerifier(SIGNER.publicKey),
    isPlaced: () => true,
    hardware: { guestConsole: async (id) => serial.reach(id) },
    openTerminal,
  });
  const outcome = await poor.open(signed(), () => undefined);
  expect(outcome).toMatchObject({ refusal: "unavailable", message: "node-pty is not installed" });
});
