// IPv4 addresses, CIDR blocks and MAC addresses as plain values. Parsing is ipaddr.js; arithmetic
// is here. Knows nothing of networks, subnets or who holds what.
import ipaddr from "ipaddr.js";
import type { Rng } from "./rng.js";

/** An IPv4 block: first address as an unsigned 32-bit number, and its prefix length. */
export interface Cidr {
  readonly first: number;
  readonly prefix: number;
}

/** Parses dotted-quad IPv4 (four decimal parts, nothing else); undefined when it is not one. */
export function parseIpv4(text: string): number | undefined {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) || /(^|\.)0\d/.test(text)) return undefined;
  return ipaddr.IPv4.parse(text)
    .toByteArray()
    .reduce((sum, octet) => sum * 256 + octet, 0);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/**
 * Parses `a.b.c.d/n`; undefined when malformed or when host bits are set. No part has a leading
 * zero, which some read as octal: a block is written in one way only.
 */
export function parseCidr(text: string): Cidr | undefined {
  const match = /^([0-9.]+)\/(0|[1-9]\d?)$/.exec(text);
  const first = match?.[1] === undefined ? undefined : parseIpv4(match[1]);
  const prefix = Number(match?.[2]);
  if (first === undefined || prefix > 32) return undefined;
  const cidr = { first, prefix };
  return first % cidrSize(cidr) === 0 ? cidr : undefined;
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIpv4(cidr.first)}/${cidr.prefix}`;
}

/** How many addresses the block has, provider-reserved ones included. */
export function cidrSize(cidr: Cidr): number {
  return 2 ** (32 - cidr.prefix);
}

/** The block's last address (inclusive). */
export function cidrLast(cidr: Cidr): number {
  return cidr.first + cidrSize(cidr) - 1;
}

export function cidrContains(outer: Cidr, inner: Cidr): boolean {
  return outer.first <= inner.first && cidrLast(inner) <= cidrLast(outer);
}

export function cidrHas(cidr: Cidr, address: number): boolean {
  return cidr.first <= address && address <= cidrLast(cidr);
}

export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return a.first <= cidrLast(b) && b.first <= cidrLast(a);
}

/** The prefix length of a block of `count` addresses; `count` must be a power of two up to 2^32. */
export function prefixForCount(count: number): number {
  return 32 - Math.log2(count);
}

/**
 * A random locally administered unicast MAC, lower case with colons (IEEE 802: second bit of octet
 * 0).
 */
export function newMac(rng: Rng): string {
  return macsTogether(rng)();
}

/**
 * Draws such MACs for what is made together: they have their first half in common, so that an index
 * has them next to each other.
 */
export function macsTogether(rng: Rng): () => string {
  const head = rng.bytes(3);
  head[0] = ((head[0] ?? 0) & 0b1111_1100) | 0b0000_0010;
  return () => formatMac(Uint8Array.of(...head, ...rng.bytes(3)));
}

export function formatMac(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join(":");
}
