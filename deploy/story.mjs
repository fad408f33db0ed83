// The walk that the demo takes through a yard: the operator's flow from mzone.yaml to placeable
// nodes, then the tenant's from a profile to instances, told by running railctl. It starts no
// process but agents, and ends none.
import { existsSync } from "node:fs";
import { declaredServers, uncommentServer } from "./fleet.mjs";

const ZONE = "us-east-3";
const ACCOUNT = "acme";
const NETWORK = "training";
const PROFILE = "gx3d-152x1536-8h100";
const LATE_SERVER = "wdc07-a-r02-s04";
const RAILS = [0, 1, 2, 3, 4, 5, 6, 7];
const SUBNETS = RAILS.map((rail) => `rail-${rail}`);
// What railctl answers when the state that --wait waits for was not reached.
const NOT_REACHED = 8;
// And when there is no room.
const EXHAUSTED = 5;

/** Applies the mzone file, enrols and starts every agent, and waits until all are placeable. */
export async function bringUpFleet(yard) {
  const operator = yard.user("operator", yard.places.operatorToken);
  await operator.show(["mzone", "apply", "-f", yard.places.mzone]);
  const servers = declaredServers(yard.places.mzone);
  for (const server of servers) await bringUpNode(yard, operator, server);
  await operator.show(["node", "wait"]);
  await operator.show(["physical-cluster", "list"]);
  return operator;
}

/** Makes a token for a tenant's account and answers who uses it. */
export async function bringInTenant(yard, operator) {
  const out = yard.places.tenantToken;
  const roles = ["--account", ACCOUNT, "--role", "tenant-admin"];
  if (!existsSync(out)) await operator.show(["token", "create", ...roles, "--out", out]);
  return yard.user(ACCOUNT, out);
}

/** The whole walk. Throws as soon as anything is not as it has to be. */
export async function walk(yard) {
  heading("The operator declares what exists, and agents prove that it does");
  const operator = await bringUpFleet(yard);
  heading("A tenant picks a profile and makes a network");
  const tenant = await bringInTenant(yard, operator);
  await makeNetwork(tenant);
  heading("Six instances land: 8, 16 and 32 attachments among them");
  await makeInstances(tenant);
  await showLayouts(tenant, operator);
  heading("The same position is the same rail on every instance");
  await compareRails(tenant, ["train-1", "train-4"]);
  heading("The seventh finds no capacity: its tenant is told so, the operator why");
  const args = ["--attachments-from", SUBNETS.join(",")];
  await create(tenant, { name: "train-7", args, expect: NOT_REACHED });
  await tenant.show(["instance", "get", "train-7"]);
  await explainRefusal(tenant, operator, "train-7");
  heading("The operator adds a server; the seventh starts on it");
  await addServer(yard, operator);
  await tenant.show(["instance", "start", "train-7", "--wait"]);
  await tenant.show(["instance", "layout", "train-7"]);
  await tenant.show(["instance", "list"]);
  heading("A deleted instance gives everything back once its node reported it gone");
  await giveBack(tenant, operator, "train-2");
}

async function bringUpNode(yard, operator, server) {
  const out = yard.places.credentials(server);
  const where = ["--out", out, "--broker", yard.broker];
  if (!existsSync(out)) await operator.show(["node", "enroll", server.name, ...where]);
  yard.startAgent(server);
}

async function makeNetwork(tenant) {
  await tenant.show(["profile", "list", "--zone", ZONE]);
  await tenant.show(["instance-profile", "list", "--network-profile", "hopper-1"]);
  const where = ["--profile", "hopper-1", "--vpc", "vpc-research", "--zone", ZONE];
  await tenant.show(["network", "create", "--name", NETWORK, ...where]);
  for (const [rail, name] of SUBNETS.entries()) {
    const size = rail < 2 ? ["--cidr", `10.${rail}.0.0/16`] : ["--count", "1024"];
    const what = ["--network", NETWORK, "--name", name, ...size, "--rail", String(rail)];
    await tenant.show(["subnet", "create", ...what]);
  }
  await tenant.show(["subnet", "list", "--network", NETWORK]);
  for (const name of SUBNETS.slice(0, 2)) {
    const fixed = name === SUBNETS[0] ? ["--address", "10.0.0.10"] : [];
    const what = ["--network", NETWORK, "--subnet", name, "--name", `head-${name}`, ...fixed];
    await tenant.show(["interface", "create", ...what]);
  }
}

async function makeInstances(tenant) {
  const interfaces = SUBNETS.slice(0, 2).map((name) => `interface=head-${name}`);
  const subnets = SUBNETS.slice(2).map((name) => `subnet=${name}`);
  const mixed = [...interfaces, ...subnets].flatMap((one) => ["--attach", one]);
  const metadata = ["--metadata-enabled", "--metadata-hop-limit", "2"];
  const more = ["--boot-volume", "vol-boot-1", "--key", "key-ops", ...metadata];
  const eight = ["--attachments-from", SUBNETS.join(",")];
  await create(tenant, { name: "train-1", args: [...more, ...mixed] });
  await create(tenant, { name: "train-2", args: [...eight, "--count", "16"] });
  await create(tenant, { name: "train-3", args: [...eight, "--count", "32"] });
  for (const name of ["train-4", "train-5", "train-6"]) await create(tenant, { name, args: eight });
  await tenant.show(["instance", "list"]);
}

async function create(tenant, { name, args, expect = 0 }) {
  const what = ["--profile", PROFILE, "--zone", ZONE, "--image", "img-ubuntu-24-04"];
  const where = ["--vpc-subnet", "vsub-research-3", "--network", NETWORK];
  const all = ["--name", name, ...what, ...where, ...args, "--wait"];
  await tenant.show(["instance", "create", ...all], { expect });
}

async function showLayouts(tenant, operator) {
  for (const [name, count] of Object.entries({ "train-1": 8, "train-2": 16, "train-3": 32 })) {
    await tenant.show(["instance", "layout", name]);
    const { id } = await tenant.ask("instance", "get", name);
    await operator.show(["node", "layout", "--instance", id]);
    await checkLayout(tenant, name, count);
  }
}

// A table may look right; this makes sure that it is.
async function checkLayout(tenant, name, count) {
  const { rows } = await tenant.ask("instance", "layout", name);
  const per = count / RAILS.length;
  const wrong = rows.filter(
    ({ position = 0, rail = 0 }, i) => position !== i || rail !== Math.floor(i / per),
  );
  const loose = rows.filter(({ observed }) => observed !== "ATTACHMENT_OBSERVED_APPLIED");
  if (rows.length === count && wrong.length === 0 && loose.length === 0) return;
  throw new Error(`the layout of ${name} is not ${count} attachments in order, all applied`);
}

async function compareRails(tenant, [one, other]) {
  const [a, b] = [await railsOf(tenant, one), await railsOf(tenant, other)];
  console.log(`\nPOSITION   RAIL OF ${one}   RAIL OF ${other}`);
  for (const [position, rail] of a.entries()) {
    console.log(`${position}`.padEnd(11) + `${rail}`.padEnd(11 + one.length) + b[position]);
  }
  if (a.join() !== b.join()) throw new Error(`${one} and ${other} differ in their rails`);
}

async function railsOf(tenant, name) {
  const { rows } = await tenant.ask("instance", "layout", name);
  return rows.map(({ rail = 0 }) => rail);
}

/** The safe words for the tenant; for the operator every node, and what would help. */
async function explainRefusal(tenant, operator, name) {
  const one = ["--network", NETWORK, "--profile", PROFILE, "--count", "1"];
  await tenant.show(["placement", "check-capacity", ...one], { expect: EXHAUSTED });
  const { id } = await tenant.ask("instance", "get", name);
  await operator.show(["placement", "explain", "--instance", id]);
}

async function addServer(yard, operator) {
  console.log(`\noperator$ vi ${yard.shorten(yard.places.mzone)}`);
  for (const { old, now } of uncommentServer(yard.places.mzone, LATE_SERVER)) {
    console.log(`- ${old}\n+ ${now}`);
  }
  await operator.show(["mzone", "apply", "-f", yard.places.mzone]);
  const servers = declaredServers(yard.places.mzone);
  const added = servers.find(({ name }) => name === LATE_SERVER);
  if (!added) throw new Error(`${LATE_SERVER} is not in the file`);
  await bringUpNode(yard, operator, added);
  await operator.show(["node", "wait", LATE_SERVER]);
}

async function giveBack(tenant, operator, name) {
  const { id } = await tenant.ask("instance", "get", name);
  const placed = await operator.ask("node", "layout", "--instance", id);
  const node = placed[0].nodeName;
  await operator.show(["node", "layout", node]);
  await tenant.show(["instance", "delete", name, "--wait"]);
  await operator.show(["node", "layout", node]);
  const left = await operator.ask("node", "layout", node);
  if (left.length > 0) throw new Error(`${left.length} devices of ${node} were not given back`);
  await tenant.show(["subnet", "list", "--network", NETWORK]);
}

function heading(text) {
  console.log(`\n${"═".repeat(text.length)}\n${text}\n${"═".repeat(text.length)}`);
}
