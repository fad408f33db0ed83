// A console session whose instance goes to another host while its own host knows nothing of it: it
// ends by the controller's word, since nobody else is there to give one.
import {
  FenceMethod,
  NodeServiceService,
  NodeState,
} from "@railyard/proto/gen/railyard/admin/v1/node";
import { afterEach, expect, test } from "vitest";
import { ConsoleCaller } from "./console.js";
import { Customer } from "./customer.js";
import { until } from "./until.js";
import { Yard } from "./yard.js";

const A1 = "wdc07-a-r01-s01";
const A2 = "wdc07-a-r01-s02";
const LEASE_MS = 1_000;
/** In the subjects of console frames. */
const CONSOLE = ".console.";

let yard: Yard;
afterEach(() => yard.close());

test("a session ends as moved when its instance was placed on another host", async () => {
  yard = await Yard.open({ leaseMs: LEASE_MS });
  await yard.applyMzone();
  await yard.startAgent(A1);
  await yard.ready(A1);
  const customer = new Customer(await yard.tenant("acme"));
  const { id: instanceId } = await running(customer);
  await yard.startAgent(A2);
  await yard.ready(A2);
  const session = new ConsoleCaller(customer.wire, { instanceId });
  await session.sees("root@one:~# ");

  // Of its agent nothing arrives but what the console says, or silence would end the session.
  yard.broker.fate = (from, subject) => (from === A1 && !subject.includes(CONSOLE) ? [] : [0]);
  const { id, etag } = await until("the host is lost", async () => {
    const node = await yard.node(A1);
    return node?.state === NodeState.NODE_STATE_LOST ? node : undefined;
  });
  expect(session.closed).toBeUndefined();
  await yard.operator.call(NodeServiceService.fenceNode, {
    ...{ id, etag, method: FenceMethod.FENCE_METHOD_OPERATOR_WORD, reason: "its plug is out" },
    ...{ requestId: "", validateOnly: false },
  });
  expect(await session.ending()).toBe("INSTANCE_MOVED");
  expect(session.closed?.message).toContain("another host");
  await customer.running(instanceId);
  const again = new ConsoleCaller(customer.wire, { instanceId });
  await again.sees("root@one:~# ");
  again.end();
  expect(await again.ending()).toBe("CLIENT");
});

async function running(customer: Customer) {
  const { id } = await customer.network();
  const subnet = await customer.subnet(id);
  const made = await customer.instance("one", Array(8).fill(subnet.id));
  return customer.running(made.id);
}
