// What the contract suite talks to: a yard of its own, or the server that the environment names.
// Every account it makes is new, and everything in those accounts is gone afterwards, so that a
// run needs no server to itself. It knows no rule of the contract.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Role, TokenServiceService } from "@railyard/proto/gen/railyard/admin/v1/token";
import {
  ClusterNetworkServiceService,
  DeleteClusterNetworkRequest,
  ListClusterNetworksRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import {
  DeleteInstanceRequest,
  InstanceServiceService,
  ListInstancesRequest,
} from "@railyard/proto/gen/railyard/v1/instance";
import {
  DeleteHoldRequest,
  ListHoldsRequest,
  PlacementServiceService,
} from "@railyard/proto/gen/railyard/v1/placement";
import { Customer } from "../customer.js";
import { until } from "../until.js";
import { Wire } from "../wire.js";
import { type MzoneDocument, Yard, type YardOptions } from "../yard.js";

/** Servers of the example document on which instances with eight GPUs find room. */
const NODES = ["wdc07-a-r01-s01", "wdc07-a-r01-s02"];
const PAGE = { pageSize: 100 };
/** Agents that rest, or find no processor on a busy machine, are not to be taken for lost. */
const LEASE_MS = 60_000;

/** One account, with a caller that may do everything in it. */
export interface Tenant extends Customer {
  readonly account: string;
}

export interface TargetOptions {
  /** Servers whose agents run: the standard ones for `true`, so that instances find room. */
  readonly machines?: boolean | readonly string[];
  /** What the yard is declared as, instead of the example; for a yard of the suite's own. */
  readonly document?: MzoneDocument;
  readonly yard?: YardOptions;
}

export interface Target {
  /** The suite's own yard; undefined when a server is named, which nobody may disturb. */
  readonly yard: Yard | undefined;
  /** The operator at the admin listener. */
  readonly admin: Wire;
  /** Somebody with an account that nobody else has. */
  tenant(): Promise<Tenant>;
  /** A caller with a token of `account`. */
  caller(account: string, ...roles: Role[]): Promise<Wire>;
  /** A caller at either listener with any token, or none. */
  stranger(listener: "server" | "admin", token?: string): Wire;
  /** Deletes what is in the accounts made so far, and waits until their instances are gone. */
  empty(): Promise<void>;
  /** The same, and what belongs to no account. */
  close(): Promise<void>;
}

interface Place {
  readonly server: string;
  readonly admin: string;
  readonly token: string;
  readonly yard?: Yard;
  close(): Promise<void>;
}

/** Whether the suite has a yard of its own: what disturbs a yard is tested only there. */
export const OWN_YARD = placeNamed() === undefined;

/** Connects to the server that was named, or opens a yard. */
export async function target(options: TargetOptions = {}): Promise<Target> {
  const place = placeNamed() ?? (await ownYard(options));
  const wires: Wire[] = [];
  const wire = (address: string, token?: string) => {
    const made = new Wire(address, token);
    wires.push(made);
    return made;
  };
  const admin = wire(place.admin, place.token);
  const tokens: string[] = [];
  const tenants: Customer[] = [];
  const caller = async (account: string, ...roles: Role[]) => {
    const request = { account, roles, name: "", requestId: "", validateOnly: false };
    const { secret, token } = await admin.call(TokenServiceService.createToken, request);
    tokens.push(token?.id ?? "");
    return wire(place.server, secret);
  };
  const emptyAll = async () => {
    for (const tenant of tenants.splice(0)) await empty(tenant.wire);
  };
  return {
    yard: place.yard,
    admin,
    caller,
    stranger: (listener, token) => wire(place[listener], token),
    async tenant() {
      const account = `contract-${randomUUID().slice(0, 13)}`;
      const customer = new Customer(await caller(account, Role.ROLE_TENANT_ADMIN));
      tenants.push(customer);
      return Object.assign(customer, { account });
    },
    empty: emptyAll,
    async close() {
      try {
        await emptyAll();
        for (const id of tokens) {
          await admin.call(TokenServiceService.revokeToken, { id, etag: "", validateOnly: false });
        }
      } finally {
        for (const one of wires) one.close();
        await place.close();
      }
    },
  };
}

/** The server that `npm run contract -- --server …` names. */
function placeNamed(): Place | undefined {
  const { RAILYARD_CONTRACT_SERVER: server, RAILYARD_CONTRACT_ADMIN: admin } = process.env;
  const file = process.env.RAILYARD_CONTRACT_TOKEN_FILE;
  if (!server || !admin || !file) return undefined;
  return { server, admin, token: readFileSync(file, "utf8").trim(), close: async () => undefined };
}

async function ownYard({ machines = false, document, yard: how }: TargetOptions): Promise<Place> {
  const yard = await Yard.open({ leaseMs: LEASE_MS, ...how });
  await yard.applyMzone(document);
  const nodes = machines === true ? NODES : machines || [];
  for (const node of nodes) await yard.startAgent(node, document);
  await yard.ready(...nodes);
  const { tenant, admin } = yard.controller.ports;
  return {
    server: `127.0.0.1:${tenant}`,
    admin: `127.0.0.1:${admin}`,
    token: yard.operatorToken,
    yard,
    close: () => yard.close(),
  };
}

async function empty(wire: Wire): Promise<void> {
  const { listHolds, deleteHold } = PlacementServiceService;
  const held = await wire.call(listHolds, ListHoldsRequest.fromPartial(PAGE));
  for (const { id } of held.holds) {
    await wire.call(deleteHold, DeleteHoldRequest.fromPartial({ id }));
  }
  const { listInstances, deleteInstance } = InstanceServiceService;
  const all = ListInstancesRequest.fromPartial(PAGE);
  for (const { id } of (await wire.call(listInstances, all)).instances) {
    await wire.call(deleteInstance, DeleteInstanceRequest.fromPartial({ id }));
  }
  const none = async () => (await wire.call(listInstances, all)).totalSize === 0n;
  await until("the account's instances are gone", none);
  const { listClusterNetworks, deleteClusterNetwork } = ClusterNetworkServiceService;
  const networks = ListClusterNetworksRequest.fromPartial(PAGE);
  for (const { id } of (await wire.call(listClusterNetworks, networks)).clusterNetworks) {
    const request = DeleteClusterNetworkRequest.fromPartial({ id, cascade: true });
    await wire.call(deleteClusterNetwork, request);
  }
}
