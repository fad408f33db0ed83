// railctl following a real controller: `--watch` prints each change as it comes, `--wait` ends as
// soon as what it waits for is there, and the program ends when nobody reads on.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { run } from "@railyard/cli/program";
import { systemClock } from "@railyard/lib/clock";
import { seededRng } from "@railyard/lib/rng";
import { afterEach, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const NODE = "wdc07-a-r01-s01";
/** After this long a program that should have ended is ended. */
const ENDS_MS = 120_000;
const RAILCTL = fileURLToPath(new URL("../cli/bin/railctl.js", import.meta.url));

let yard: Yard;
afterEach(() => yard.close());

interface Running {
  readonly lines: () => string[];
  readonly code: Promise<number>;
}

function railctl(token: string, ...args: string[]): Running {
  const said = { out: "", err: "" };
  const keep = (name: keyof typeof said) => (text: string) => {
    said[name] += text;
  };
  const server = `127.0.0.1:${yard.controller.ports.tenant}`;
  const code = run(args, {
    stdout: { write: keep("out"), tty: false },
    stderr: { write: keep("err"), tty: false },
    environment: () => ({ server, adminServer: server, token, color: false }),
    clock: systemClock(),
    rng: seededRng("railctl"),
  });
  return { code, lines: () => said.out.split("\n").slice(0, -1) };
}

test("a watched list prints what is there and then each change, as JSON lines too", async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  const { wire, secret } = await yard.tenantWithSecret("acme");
  const customer = new Customer(wire);
  const network = await customer.network({ name: "train" });
  await customer.subnet(network.id, { name: "first" });
  const list = ["subnet", "list", "--network", "train", "--watch", "--timeout", "15s"];
  const table = railctl(secret, ...list);
  const json = railctl(secret, ...list, "-o", "json");
  await until("both began", () => table.lines().length === 1 && json.lines().length === 1);
  const second = await customer.subnet(network.id, { name: "second" });
  const other = await customer.network({ name: "other" });
  await customer.subnet(other.id, { name: "elsewhere" });
  await until("the change", () => table.lines().length === 2 && json.lines().length === 2);
  expect(table.lines()[0]).toMatch(/^present +first /);
  expect(table.lines()[1]).toMatch(/^created +second /);
  const seen = json.lines().map((line) => JSON.parse(line));
  expect(seen.map(({ operation, object }) => [operation, object.name])).toEqual([
    ["present", "first"],
    ["created", "second"],
  ]);
  expect(seen[1].object.id).toBe(second.id);
  expect(await Promise.all([table.code, json.code])).toEqual([0, 0]);
  expect(table.lines().join()).not.toContain("elsewhere");
});

test("--wait ends when the instance runs, and when it is gone", async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  await yard.startAgent(NODE);
  await yard.ready(NODE);
  const { wire, secret } = await yard.tenantWithSecret("acme");
  const customer = new Customer(wire);
  const network = await customer.network();
  const subnet = await customer.subnet(network.id);
  const eight = Array.from({ length: 8 }, () => subnet.id);
  const instance = await customer.instance("one", eight);
  const watched = railctl(secret, "instance", "get", instance.id, "--watch", "-o", "json");
  await customer.running(instance.id);
  const gone = railctl(secret, "instance", "delete", instance.id, "--wait");
  expect(await gone.code).toBe(0);
  expect(gone.lines().join()).toContain("deleted");
  expect(await watched.code).toBe(0);
  const operations = watched.lines().map((line) => JSON.parse(line).operation);
  expect(operations[0]).toBe("present");
  expect(operations.at(-1)).toBe("deleted");
});

test("a watch ends with the first change that nobody reads any more", async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  const { wire, secret } = await yard.tenantWithSecret("acme");
  const customer = new Customer(wire);
  await customer.network({ name: "train" });
  const watch = spawn(process.execPath, [RAILCTL, "network", "list", "--watch"], {
    env: { RAILYARD_SERVER: wire.server, RAILYARD_TOKEN: secret },
    stdio: ["ignore", "pipe", "inherit"],
    timeout: ENDS_MS,
  });
  const ended = once(watch, "exit");
  await once(watch.stdout, "data");
  watch.stdout.destroy();
  await customer.network({ name: "other" });
  expect(await ended).toEqual([0, null]);
});
