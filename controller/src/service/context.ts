// What every use case is given, and what one mutation call carries. The wire format stays outside:
// a Mutation knows how to turn the value into the caller's answer, and the answer into bytes and
// back.
import type { Clock } from "@railyard/lib/clock";
import type { AccountId } from "@railyard/lib/ids";
import type { Log } from "@railyard/lib/log";
import type { Rng } from "@railyard/lib/rng";
import type { Catalog } from "../catalog/contract.js";
import type { Principal } from "../domain/lifecycle.js";
import type { Store } from "../store/contract.js";
import type { Leases } from "./leases.js";

export interface ServiceContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
  readonly catalog: Catalog;
  /** Which nodes are alive at this moment. */
  readonly leases: Leases;
  /** "Look now": some node's desired state changed. Carries no data. */
  readonly nudgeRelay: () => void;
  /** "Look now": who may use the bus can have changed. */
  readonly nudgeEnrolment: () => void;
  readonly settings: ServiceSettings;
}

export interface ServiceSettings {
  readonly region: string;
  /** How long isolation ids and MACs rest before they may be used again, milliseconds. */
  readonly quarantineMs: number;
}

/** A tenant's caller: its account comes from its credentials, never from the request. */
export interface TenantCall {
  readonly principal: Principal;
  readonly account: AccountId;
}

/** One mutating call, by a tenant or an operator. */
export interface Mutation<Value, Answer> {
  readonly principal: Principal;
  /** RPC name, e.g. `CreateClusterNetworkSubnet`. */
  readonly method: string;
  /** UUID given by the caller; undefined = not idempotent. */
  readonly requestId: string | undefined;
  /** SHA-256 of the canonical request without request_id and validate_only; empty without an id. */
  readonly requestHash: string;
  readonly validateOnly: boolean;
  answer(value: Value): Answer;
  encode(answer: Answer): Uint8Array;
  decode(bytes: Uint8Array): Answer;
}
