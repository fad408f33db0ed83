// A leaf switch as far as the machine at the other end of a cable can tell: it says its name by
// LLDP (IEEE 802.1AB), once a second, and forwards nothing.
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Cable } from "./hypervisor.js";

const HOST = "127.0.0.1";
const EVERY_MS = 1_000;
const TTL_S = 120;
const NEAREST_BRIDGE = "0180c200000e";
const ETHERTYPE = "88cc";
/** TLV types and the subtypes of the first two. */
const CHASSIS_ID = 1;
const PORT_ID = 2;
const TTL = 3;
const SYSTEM_NAME = 5;
const BY_MAC = 4;
const BY_INTERFACE_NAME = 5;

export interface Leaf {
  readonly cable: Cable;
  close(): void;
}

/** Plugs a cable into a leaf switch called `name`, whose frames say so until it is closed. */
export async function plugIntoLeaf(name: string, number: number): Promise<Leaf> {
  const socket = await boundSocket();
  const nic = await boundSocket();
  const cable = { nicPort: nic.address().port, farPort: socket.address().port };
  nic.close();
  // Nobody listens there before the machine is switched on.
  socket.on("error", () => undefined);
  const frame = lldpFrame(name, number);
  const timer = setInterval(() => socket.send(frame, cable.nicPort, HOST), EVERY_MS);
  return {
    cable,
    close() {
      clearInterval(timer);
      socket.close();
    },
  };
}

/** Two free ports for a cable between two machines; each machine sees it from its own end. */
export async function cableBetween(): Promise<readonly [Cable, Cable]> {
  const sockets = [await boundSocket(), await boundSocket()];
  const [one = 0, two = 0] = sockets.map((socket) => socket.address().port);
  for (const socket of sockets) socket.close();
  return [
    { nicPort: one, farPort: two },
    { nicPort: two, farPort: one },
  ];
}

/** An LLDP frame of the switch `name`; pure. */
export function lldpFrame(name: string, number: number): Buffer {
  const mac = Buffer.from(`02000000aa${number.toString(16).padStart(2, "0")}`, "hex");
  const ttl = Buffer.alloc(2);
  ttl.writeUInt16BE(TTL_S);
  return Buffer.concat([
    Buffer.from(NEAREST_BRIDGE, "hex"),
    mac,
    Buffer.from(ETHERTYPE, "hex"),
    tlv(CHASSIS_ID, Buffer.from([BY_MAC, ...mac])),
    tlv(PORT_ID, Buffer.from([BY_INTERFACE_NAME, ...Buffer.from(`swp${number}`)])),
    tlv(TTL, ttl),
    tlv(SYSTEM_NAME, Buffer.from(name)),
    tlv(0, Buffer.alloc(0)),
  ]);
}

/** Seven bits of type, nine of length. */
function tlv(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE((type << 9) | value.length);
  return Buffer.concat([head, value]);
}

async function boundSocket(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, HOST);
  await once(socket, "listening");
  return socket;
}
