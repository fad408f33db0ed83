// railctl changing and following instances, against a real controller: what no flag names stays as
// it is, what leaves a filter is said, and an empty name is nobody's.
import { run } from "@railyard/cli/program";
import { systemClock } from "@railyard/lib/clock";
import { seededRng } from "@railyard/lib/rng";
import {
  CreateTokenRequest,
  RevokeTokenRequest,
  Role,
  TokenServiceService,
} from "@railyard/proto/gen/railyard/admin/v1/token";
import {
  InstanceServiceService,
  StopInstanceRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Customer } from "./customer.js";
import { tenantRailctl } from "./tenant-railctl.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const USAGE = 2;
const FORBIDDEN = 6;
/** No machine runs: it finds no room, and can be stopped all the same. */
const SMALL = { profile: "bx3d-8x40" };
const { createToken, revokeToken } = TokenServiceService;

let yard: Yard;
let secret: string;
let customer: Customer;
beforeAll(async () => {
  yard = await Yard.open();
  await yard.applyMzone();
  const tenant = await yard.tenantWithSecret("acme");
  secret = tenant.secret;
  customer = new Customer(tenant.wire);
});
afterAll(() => yard.close());

const server = () => `127.0.0.1:${yard.controller.ports.tenant}`;
const railctl = (...args: readonly string[]) =>
  tenantRailctl({ server: server(), token: secret }, args);

test("of the metadata service only what a flag names changes; it can be turned off", async () => {
  const metadataService = { enabled: true, protocol: 2, hopLimit: 4 };
  await customer.instance("set", [], { ...SMALL, metadataService });
  const changed = async (...flags: string[]) => {
    const { code, out, err } = await railctl("-o", "json", "instance", "update", "set", ...flags);
    expect([code, err]).toEqual([0, ""]);
    return JSON.parse(out).metadataService;
  };
  const https = { protocol: "INSTANCE_METADATA_PROTOCOL_HTTPS" };
  expect(await changed("--metadata-hop-limit", "9")).toEqual({
    ...{ enabled: true, hopLimit: 9, ...https },
  });
  expect(await changed("--no-metadata-enabled")).toEqual({ hopLimit: 9, ...https });
  expect((await railctl("instance", "get", "set")).out).toMatch(/METADATA SERVICE +off\n/);
  const http = { protocol: "INSTANCE_METADATA_PROTOCOL_HTTP" };
  const both = ["--metadata-enabled", "--metadata-protocol", "http"];
  expect(await changed(...both)).toEqual({ enabled: true, hopLimit: 9, ...http });
  expect((await railctl("instance", "get", "set")).out).toMatch(/SERVICE +http, 9 hops\n/);
  expect((await railctl("instance", "update", "set", "--metadata-protocol", "")).code).toBe(USAGE);
});

test("a watched list says what is no longer one of those that were asked for", async () => {
  const roles = [Role.ROLE_TENANT_VIEWER];
  const making = CreateTokenRequest.fromPartial({ account: "acme", roles });
  const viewer = await yard.operator.call(createToken, making);
  const { id } = await customer.instance("ends", [], SMALL);
  const out: string[] = [];
  const watch = ["instance", "list", "--status", "failed", "--watch", "-o", "json"];
  const code = run(watch, {
    stdout: { write: (text) => void out.push(text), tty: false },
    stderr: { write: () => undefined, tty: false },
    environment: () => ({
      ...{ server: server(), adminServer: server(), token: viewer.secret, color: false },
    }),
    clock: systemClock(),
    rng: seededRng("watch"),
  });
  const said = () => {
    const all = out.map((line) => JSON.parse(line));
    return all.filter(({ object }) => object.id === id);
  };
  await until("it is shown", () => said().length === 1);
  const stopping = StopInstanceRequest.fromPartial({ id });
  await customer.wire.call(InstanceServiceService.stopInstance, stopping);
  await until("it has left", () => said().length === 2);
  expect(said().map(({ operation }) => operation)).toEqual(["present", "left"]);
  expect(said()[1].object.status).toBe("INSTANCE_STATUS_STOPPED");
  const ending = RevokeTokenRequest.fromPartial({ id: viewer.token!.id });
  await yard.operator.call(revokeToken, ending);
  expect(await code).toBe(FORBIDDEN);
});

test.each([
  ["network", "get", ""],
  ["network", "delete", ""],
  ["instance", "stop", ""],
  ["subnet", "list", "--network", ""],
  ["attachment", "list", "--instance", ""],
  ["hold", "get", ""],
])("an empty name is wrong usage, not something that is missing: %s %s", async (...args) => {
  const { code, err } = await railctl(...args);
  expect([code, err]).toEqual([USAGE, expect.stringContaining("must be a name or an id")]);
});
