// Hypervisors and rail switches out of a kernel's own parts: a network namespace is a hypervisor, a
// bridge a rail switch, a pair of Ethernet devices a cable. Texts of shell commands; pure.
import { MTU, RAILS } from "./declared.js";
import { WAY_OUT } from "./machine.js";

/** What tunnels add to a packet. */
const TUNNEL_BYTES = 70;
/** Of a rail's cables and switches. */
export const RAIL_MTU = MTU + TUNNEL_BYTES;
const MANAGEMENT = "management";
const rails = Array.from({ length: RAILS }, (_, rail) => rail);

/** The interface of a hypervisor that leads to the rail's switch. */
export function uplinkOf(rail: number): string {
  return `rail${rail}`;
}

function switchOf(rail: number): string {
  return `switch${rail}`;
}

/** Of a hypervisor, by its place in the list. */
export function managementAddressOf(index: number): string {
  return `10.0.2.${index + 21}`;
}

/** Rail switches, a management network, and the hypervisors cabled to all of them. */
export function fabricScript(hypervisors: readonly string[]): string {
  return [
    "set -e",
    ...makeSwitch(MANAGEMENT, 1_500),
    `ip link set ${WAY_OUT} master ${MANAGEMENT} up`,
    ...rails.flatMap((rail) => makeSwitch(switchOf(rail), RAIL_MTU)),
    ...hypervisors.flatMap((name, index) => [
      `ip netns add ${name}`,
      `ip -n ${name} link set lo up`,
      ...plug({ name, index, port: MANAGEMENT, into: MANAGEMENT, mtu: 1_500 }),
      `ip -n ${name} addr add ${managementAddressOf(index)}/24 dev ${MANAGEMENT}`,
      ...rails.flatMap((rail) =>
        plug({ name, index, port: uplinkOf(rail), into: switchOf(rail), mtu: RAIL_MTU }),
      ),
    ]),
  ].join("\n");
}

/** Tunnels find each other by multicast, which is to reach every port from the start. */
function makeSwitch(name: string, mtu: number): readonly string[] {
  return [`ip link add ${name} mtu ${mtu} type bridge mcast_snooping 0`, `ip link set ${name} up`];
}

interface Plug {
  readonly name: string;
  readonly index: number;
  readonly port: string;
  readonly into: string;
  readonly mtu: number;
}

function plug({ name, index, port, into, mtu }: Plug): readonly string[] {
  const far = `${into}-${index}`;
  return [
    `ip link add ${far} mtu ${mtu} type veth peer name ${port} mtu ${mtu} netns ${name}`,
    `ip link set ${far} master ${into} up`,
    `ip -n ${name} link set ${port} up`,
  ];
}
