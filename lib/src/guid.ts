// GUIDs of InfiniBand ports: how they are written, and how a virtual port's GUID follows from its
// MAC and its partition. Knows no subnet manager.
import { refuse } from "./errors.js";

/** Sixteen lower-case hexadecimal digits. */
export type Guid = string;

const GUID = /^[0-9a-f]{16}$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const PKEY_MIN = 0x0001;
const PKEY_MAX = 0x7ffe;

/** The default partition, which every port of a fabric is in. */
export const PKEY_DEFAULT = 0x7fff;

/** A virtual port as its GUID tells it. */
export interface PortIdentity {
  /** Lower case, colon-separated. */
  readonly mac: string;
  /** Without the membership bit. */
  readonly pkey: number;
}

export function isGuid(text: string): boolean {
  return GUID.test(text);
}

/** Whether the number may separate a network: 0x0001–0x7FFE (0 is invalid, 0x7FFF the default). */
export function isPkey(id: number): boolean {
  return Number.isInteger(id) && id >= PKEY_MIN && id <= PKEY_MAX;
}

/**
 * The GUID of a virtual port: an EUI-64 with the MAC's halves outside and the partition key between
 * them. MACs are unique and rest within a network, partition keys within a fabric, so the GUID is
 * unique and rests within the fabric without a pool of its own. Throws `invalid`.
 */
export function guidOf({ mac, pkey }: PortIdentity): Guid {
  if (!MAC.test(mac)) throw refuse("invalid", "a GUID is made of a lower-case MAC");
  if (!isPkey(pkey)) throw refuse("invalid", "a GUID is made of a partition key that may be used");
  const digits = mac.replaceAll(":", "");
  return `${digits.slice(0, 6)}${pkey.toString(16).padStart(4, "0")}${digits.slice(6)}`;
}

/** What `guidOf` made the GUID of; of any other GUID whatever stands in these places. */
export function identityOf(guid: Guid): PortIdentity {
  const octets = `${guid.slice(0, 6)}${guid.slice(10)}`.match(/../g) ?? [];
  return { mac: octets.join(":"), pkey: Number.parseInt(guid.slice(6, 10), 16) };
}

/** From a 64-bit number. */
export function guidFrom(value: bigint): Guid {
  return BigInt.asUintN(64, value).toString(16).padStart(16, "0");
}

/** As a 64-bit number. Throws `invalid`. */
export function guidNumber(guid: Guid): bigint {
  if (!isGuid(guid)) throw refuse("invalid", "a GUID has sixteen lower-case hexadecimal digits");
  return BigInt(`0x${guid}`);
}
