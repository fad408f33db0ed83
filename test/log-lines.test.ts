// The controller's log of a whole life: one line per change of state, with fixed field names, and
// no secret in any of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "@railyard/lib/log";
import { InstanceServiceService } from "@railyard/proto/gen/railyard/v1/instance";
import { InstanceStatus } from "@railyard/proto/gen/railyard/v1/instance_status";
import { expect, test } from "vitest";
import { Customer } from "./customer.js";
import { Yard } from "./yard.js";

const A1 = "wdc07-a-r01-s01";

interface Line extends Record<string, unknown> {
  readonly msg: string;
}

/** Keeps every line that is said at `info` or above. */
function keepingLog(lines: Line[], fixed: object = {}): Log {
  const keep = (fields: object, msg: string) => void lines.push({ ...fixed, ...fields, msg });
  return {
    ...{ debug: () => undefined, info: keep, warn: keep, error: keep, fatal: keep },
    child: (fields: object) => keepingLog(lines, { ...fixed, ...fields }),
  } as unknown as Log;
}

/** What the lines of an RPC say of the objects that it was about. */
function idsOf(lines: readonly Line[], method: string) {
  const of = lines.filter(({ msg, rpc }) => msg === "rpc" && String(rpc).endsWith(`/${method}`));
  return of.map(({ ids }) => ids);
}

test("every change of an instance, a node and the mzone is one line that says who", async () => {
  const lines: Line[] = [];
  const yard = await Yard.open({ log: keepingLog(lines) });
  try {
    await yard.applyMzone();
    await yard.startAgent(A1);
    await yard.ready(A1);
    const nodeId = (await yard.node(A1))?.id;
    const customer = new Customer(await yard.tenant("acme"));
    const network = await customer.network();
    const subnet = await customer.subnet(network.id);
    const { id } = await customer.instance("one", Array(8).fill(subnet.id));
    await customer.running(id);
    const stop = { id, etag: "", force: false, requestId: "", validateOnly: false };
    await customer.wire.call(InstanceServiceService.stopInstance, { ...stop, validateOnly: true });
    await customer.wire.call(InstanceServiceService.stopInstance, stop);
    await customer.status(id, InstanceStatus.INSTANCE_STATUS_STOPPED);
    const start = { id, etag: "", requestId: "", validateOnly: false };
    await customer.wire.call(InstanceServiceService.startInstance, start as never);
    await customer.running(id);
    await customer.delete(id);
    await customer.gone(id);

    const said = (msg: string) => lines.filter((line) => line.msg === msg);
    expect(said("mzone applied")).toMatchObject([
      { mzone: "us-east", rpc: "ApplyMzone", principal: expect.any(String) },
    ]);
    expect(said("node enrolled")).toMatchObject([{ nodeId, rpc: "CreateJoinToken" }]);
    // An agent introduces itself again from time to time.
    expect(said("session welcomed")[0]).toMatchObject({ nodeId });
    const at = { instanceId: id, networkId: network.id, nodeId };
    expect(said("instance changed")).toMatchObject([
      { ...at, status: "starting", rpc: "CreateInstance" },
      { ...at, status: "stopping", rpc: "StopInstance" },
      { ...at, status: "starting", rpc: "StartInstance" },
      { ...at, status: "deleting", rpc: "DeleteInstance" },
    ]);
    expect(said("instance observed")).toMatchObject([
      { instanceId: id, nodeId, status: "running" },
      { instanceId: id, nodeId, status: "running" },
    ]);
    expect(said("instance seen gone")).toMatchObject([
      { instanceId: id, nodeId },
      { instanceId: id, nodeId },
    ]);
    const rpcs = said("rpc").map((line) => String(line.rpc));
    expect(rpcs.filter((rpc) => rpc.endsWith("/StopInstance"))).toHaveLength(2);
    expect(idsOf(lines, "CreateClusterNetwork")).toEqual([[network.id]]);
    expect(idsOf(lines, "CreateClusterNetworkSubnet")).toEqual([[network.id, subnet.id]]);
    expect(idsOf(lines, "CreateInstance")).toEqual([[id]]);
    expect(idsOf(lines, "StopInstance")).toEqual([[id], [id]]);
    const secret = readFileSync(join(yard.dir, "controller", "operator.token"), "utf8").trim();
    expect(JSON.stringify(lines)).not.toContain(secret);
  } finally {
    await yard.close();
  }
});
