// Branded identifiers: a node's id can never be passed where an instance's id is wanted. Ids are
// made here from a time and an Rng, and parsed here at every door; this file knows the nouns'
// prefixes and no more.
import { invalidField } from "./errors.js";
import type { Rng } from "./rng.js";

declare const kindOf: unique symbol;
/** An opaque id of one kind: `^[-0-9a-z_]{1,64}$`. */
export type Id<Kind extends string> = string & { readonly [kindOf]: Kind };

const PREFIX = {
  account: "acc",
  attachment: "cna",
  clusterNetwork: "cn",
  console: "con",
  fault: "flt",
  hold: "hold",
  image: "img",
  instance: "ins",
  interface: "cni",
  key: "key",
  networkAttachment: "ina",
  node: "node",
  physicalCluster: "pc",
  plan: "plan",
  reservedIp: "cnip",
  session: "ses",
  subnet: "cns",
  token: "tok",
  volume: "vol",
  vpc: "vpc",
  vpcSubnet: "vsub",
} as const;

export type Kind = keyof typeof PREFIX;
export type AccountId = Id<"account">;
export type AttachmentId = Id<"attachment">;
export type ClusterNetworkId = Id<"clusterNetwork">;
export type ConsoleId = Id<"console">;
export type FaultId = Id<"fault">;
export type HoldId = Id<"hold">;
export type InstanceId = Id<"instance">;
export type InterfaceId = Id<"interface">;
export type NetworkAttachmentId = Id<"networkAttachment">;
export type NodeId = Id<"node">;
export type PhysicalClusterId = Id<"physicalCluster">;
export type PlanId = Id<"plan">;
export type ReservedIpId = Id<"reservedIp">;
export type SessionId = Id<"session">;
export type SubnetId = Id<"subnet">;
export type TokenId = Id<"token">;

const ID = /^[-0-9a-z_]{1,64}$/;
/** No other id has a second hyphen after a single digit. */
const PART_ID = /^[a-z]+-[0-9]-(.+)$/;
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const TIME_CHARS = 9;
const RANDOM_CHARS = 15;

/** What an id is made of. */
export interface IdSource {
  /** When its object is made, milliseconds of wall time. */
  readonly at: number;
  readonly rng: Rng;
}

/**
 * A new id: the noun's prefix, the millisecond, and 75 random bits. Ids of one time stand next to
 * each other in every index by id, as with UUIDv7 (RFC 9562 §6.13): what is made together shares
 * pages. The time is the object's own `created_at`, so it tells nobody anything new.
 */
export function newId<K extends Kind>(kind: K, { at, rng }: IdSource): Id<K> {
  return `${PREFIX[kind]}-${timeChars(at)}${randomChars(rng, RANDOM_CHARS)}` as Id<K>;
}

/** As many new ids. */
export function newIds<K extends Kind>(kind: K, from: IdSource, count: number): readonly Id<K>[] {
  return Array.from({ length: count }, () => newId(kind, from));
}

/**
 * The id of the `nth` object that comes and goes with `owner`: nothing has to remember it.
 * Limits: `nth` 0 to 9, so that the id stays short enough.
 */
export function partId<K extends Kind>(kind: K, owner: string, nth: number): Id<K> {
  return `${PREFIX[kind]}-${nth}-${owner}` as Id<K>;
}

/** The owner in the id of such an object; undefined when `id` is none. */
export function ownerInId(id: string): string | undefined {
  return PART_ID.exec(id)?.[1];
}

/** Later times sort later. */
function timeChars(at: number): string {
  let [rest, out] = [Math.max(0, Math.floor(at)), ""];
  for (let i = 0; i < TIME_CHARS; i++) {
    out = ALPHABET[rest % ALPHABET.length] + out;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return out;
}

function randomChars(rng: Rng, count: number): string {
  let out = "";
  for (const byte of rng.bytes(count)) out += ALPHABET[byte & 31];
  return out;
}

/** Whether `text` has the shape of an id, of whatever kind. */
export function isId(text: string): boolean {
  return ID.test(text);
}

/** Checks the shape of an id that came from outside; throws `invalid` naming `field`. */
export function parseId<K extends Kind>(_kind: K, text: string, field: string): Id<K> {
  if (!isId(text)) throw invalidField(field, "must match ^[-0-9a-z_]{1,64}$");
  return text as Id<K>;
}

/** A new etag: 64 random bits, derived from nothing that could be counted. */
export function newEtag(rng: Rng): string {
  return Buffer.from(rng.bytes(8)).toString("hex");
}
