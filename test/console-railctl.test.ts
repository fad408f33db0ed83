// railctl's console: with a pretended terminal in this process, and piped over real processes.
import { spawn } from "node:child_process";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { run } from "@railyard/cli/program";
import type { Terminal, TerminalSize } from "@railyard/cli/terminal";
import { systemClock } from "@railyard/lib/clock";
import { systemRng } from "@railyard/lib/rng";
import { Role } from "@railyard/proto/gen/railyard/admin/v1/token";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConsoleCaller } from "./console.js";
import { Customer } from "./customer.js";
import { ProcessYard } from "./process-yard.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const NODE = "wdc07-a-r01-s01";
const RAILCTL = fileURLToPath(new URL("../cli/bin/railctl.js", import.meta.url));
const RESTORED = "\x1b[?25h";

let yard: Yard;
let customer: Customer;
let secret: string;
beforeAll(async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  const tenant = await yard.tenantWithSecret("acme", Role.ROLE_TENANT_EDITOR);
  ({ secret } = tenant);
  customer = new Customer(tenant.wire);
  await begin(customer);
});
afterAll(() => yard.close());

async function begin(who: Customer): Promise<string> {
  const { id } = await who.network();
  const { id: subnetId } = await who.subnet(id);
  const made = await who.instance("one", Array(8).fill(subnetId));
  await who.running(made.id);
  return made.id;
}

/** railctl before a terminal that somebody types at, or with pipes. */
function railctl(tty: boolean, ...flags: string[]) {
  const input = new PassThrough();
  let screen = "";
  let notes = "";
  let size: TerminalSize = { columns: 100, rows: 30 };
  let resized = () => {};
  let signalled = () => {};
  const raw: boolean[] = [];
  const terminal: Terminal = {
    tty,
    input,
    write: async (bytes) => {
      screen += Buffer.from(bytes).toString();
    },
    size: () => (tty ? size : undefined),
    onResize: (fn) => {
      resized = fn;
      return () => {};
    },
    setRaw: (on) => void raw.push(on),
    onSignal: (fn) => {
      signalled = fn;
      return () => {};
    },
  };
  const server = `127.0.0.1:${yard.controller.ports.tenant}`;
  const write = (said: string) => {
    notes += said;
  };
  const stream = { write, tty: false };
  const code = run(["instance", "console", "one", ...flags], {
    ...{ stdout: stream, stderr: stream, clock: systemClock(), rng: systemRng() },
    environment: () => ({ server, adminServer: server, token: secret, color: false }),
    terminal: () => terminal,
  });
  return {
    ...{ input, raw, code },
    screen: () => screen,
    notes: () => notes,
    sees: (wanted: string) => until(`the screen shows ${wanted}`, () => screen.includes(wanted)),
    resize(to: TerminalSize) {
      size = to;
      resized();
    },
    signal: () => signalled(),
  };
}

test("keys go unchanged until the key that leaves, and the terminal is put back", async () => {
  const one = railctl(true);
  await one.sees("root@one:~# ");
  one.input.write("stty size\r");
  await one.sees("\r\n30 100\r\n");
  one.resize({ columns: 60, rows: 20 });
  await until("the guest knows", () => {
    one.input.write("stty size\r");
    return one.screen().includes("\r\n20 60\r\n");
  });
  one.input.write("\x1dnot typed");
  expect(await one.code).toBe(0);
  expect(one.raw).toEqual([true, false]);
  expect(one.screen()).toContain(RESTORED);
  expect(one.screen()).not.toContain("not typed");
  expect(one.notes()).toContain("left one");
});

test("another key can leave, and then the usual one is just a key", async () => {
  const one = railctl(true, "--escape", "^A");
  await one.sees("root@one:~# ");
  one.input.write("\x1dhostname\r");
  await one.sees("hostname\r\none\r\n");
  one.input.write("\x01");
  expect(await one.code).toBe(0);
});

test("what could act on the terminal is kept back unless it is asked for", async () => {
  const attack = "echo \u009d52;c;QQ==\u009c shown\r";
  const careful = railctl(false);
  careful.input.end(attack);
  expect(await careful.code).toBe(0);
  expect(careful.screen()).toContain("shown\r\n");
  expect(careful.screen()).not.toContain("52;c");
  const raw = railctl(false, "--raw");
  raw.input.end(attack);
  expect(await raw.code).toBe(0);
  expect(raw.screen()).toContain("\u009d52;c;QQ==");
});

test("a session that is taken over says so; the terminal is put back all the same", async () => {
  const first = railctl(true);
  await first.sees("root@one:~# ");
  expect(await railctl(true).code).toBe(4);
  const second = railctl(true, "--force");
  expect(await first.code).toBe(4);
  expect(first.notes()).toContain("another session took the console over");
  expect(first.raw.at(-1)).toBe(false);
  second.signal();
  expect(await second.code).toBe(0);
  expect(second.raw.at(-1)).toBe(false);
});

test("a large paste arrives whole", async () => {
  const one = railctl(false);
  const lines = Array.from({ length: 3_000 }, (_, i) => `echo line-${i} of a paste`);
  one.input.end(`${lines.join("\r")}\r`);
  expect(await one.code).toBe(0);
  for (const i of [0, 1, 1_499, 2_999]) {
    expect(one.screen()).toContain(`\r\nline-${i} of a paste\r\n`);
  }
});

test("piped over real processes, commands are answered", async () => {
  const processes = await ProcessYard.open();
  try {
    await processes.startAgent(NODE);
    await processes.ready(NODE);
    const wire = await processes.tenant("acme");
    const id = await begin(new Customer(wire));
    const child = spawn(process.execPath, [RAILCTL, "instance", "console", id], {
      env: { RAILYARD_SERVER: wire.server, RAILYARD_TOKEN: wire.token },
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdin!.end("hostname\rlspci\r");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const said = await text(child.stdout!);
    expect(await ended).toBe(0);
    expect(said).toContain("hostname\r\none\r\n");
    expect(said).toContain("made-up function 15\r\n");
    const logs = () => [processes.controller, ...processes.agents.values()].map(({ log }) => log);
    await until("both have noted its end", () => logs().every((l) => l.includes("console closed")));
    expect(logs().join()).not.toContain("made-up function");
    const again = new ConsoleCaller(wire, { instanceId: id });
    await again.sees("root@one:~# ");
    await processes.agents.get(NODE)!.end("SIGKILL");
    expect(await again.ending()).toBe("HOST_LOST");
  } finally {
    await processes.close();
  }
});
