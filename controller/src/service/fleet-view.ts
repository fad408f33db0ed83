// The fleet as placement sees it, kept beside the store and brought up to date from what was
// touched since it was last looked at; never rebuilt for a request. Only a hint for where to look:
// whether devices are free is decided by the store when they are claimed.
import type { NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import { membersOf } from "../domain/bundle.js";
import type { Node } from "../domain/node.js";
import type { HardwareKind } from "../domain/physical-cluster.js";
import type { FleetNode } from "../placement/fleet.js";
import { FleetIndex } from "../placement/fleet-index.js";
import type { Claim, Store } from "../store/contract.js";
import { fleetNode, without } from "./fleet-node.js";
import type { Leases } from "./leases.js";
import type { FleetReads } from "./tenant.js";

/** Nodes kept as they were last, about 2 KB each; beyond that the oldest are read again. */
const NODES_MAX = 1_024;

export class FleetView {
  private readonly index = new FleetIndex();
  private readonly nodes = new Map<NodeId, FleetNode>();
  private readonly kinds = new Map<string, HardwareKind>();
  private readonly outdated = new Set<NodeId>();
  /** Whether everything is outdated. */
  private unread = true;

  constructor(
    store: Store,
    private readonly leases: Leases,
  ) {
    store.onTouch(({ kind, id }) => {
      if (kind === "node") this.changed(id as NodeId);
      else if (kind === "hardwareKind") this.unread = true;
    });
    leases.onChange((node) => this.heard(node));
  }

  private changed(id: NodeId): void {
    this.outdated.add(id);
    this.nodes.delete(id);
  }

  /** Its lease began or ran out, and nothing else: after a restart that is so of every node. */
  private heard(id: NodeId): void {
    const leaseFresh = this.leases.fresh(id);
    this.index.adjust(id, { leaseFresh });
    const known = this.nodes.get(id);
    if (known) this.nodes.set(id, { ...known, leaseFresh });
  }

  /** Another writer has some of what was seen free on the node: it is read again. */
  lost(id: NodeId): void {
    this.changed(id);
  }

  /** The fleet as `tx` sees it. Its cost grows with what was touched since the last call. */
  async upToDate(tx: FleetReads): Promise<FleetIndex> {
    this.leases.lookForSilent();
    if (this.unread) await this.readAll(tx);
    for (const id of this.outdated) await this.reread(tx, id);
    return this.index;
  }

  private async reread(tx: FleetReads, id: NodeId): Promise<void> {
    // What is touched while it is read is read once more.
    this.outdated.delete(id);
    try {
      const node = await this.node(tx, id);
      if (node) this.index.put(node);
      else this.index.delete(id);
      // Its lease may have changed since the node was made.
      if (node && node.leaseFresh !== this.leases.fresh(id)) this.heard(id);
    } catch (err) {
      this.outdated.add(id);
      throw err;
    }
  }

  /** One node as it is now, with its devices by name; undefined when it is not declared. */
  async node(tx: FleetReads, id: NodeId): Promise<FleetNode | undefined> {
    const known = this.nodes.get(id);
    if (known) return known;
    const node = await tx.nodes.get(id);
    const kind = node && (await this.kindOf(tx, node));
    if (!node || !kind) return undefined;
    const claims = await tx.claims.ofNode(id);
    const made = fleetNode(node, { kind, claims, leaseFresh: this.leases.fresh(id) });
    if (!this.unread && !this.outdated.has(id)) this.keep(made);
    return made;
  }

  private keep(node: FleetNode): void {
    this.nodes.set(node.nodeId, node);
    const [oldest] = this.nodes.keys();
    if (this.nodes.size > NODES_MAX && oldest !== undefined) this.nodes.delete(oldest);
  }

  /**
   * The transaction claimed this of the node as `node` just gave it, and changed nothing else that
   * placement sees of it: it need not be read again. When the claim is undone the store says so.
   */
  claimed(node: FleetNode, claim: Claim): void {
    const { nodeId } = node;
    const left = without(node, claim, this.leases.fresh(nodeId));
    this.outdated.delete(nodeId);
    this.keep(left);
    this.index.put(left);
  }

  /** Whether any declared server there is of a kind that `fits`, whatever is taken or down. */
  async hasHardware(
    tx: FleetReads,
    where: { readonly zone: string; readonly cluster: PhysicalClusterId | undefined },
    fits: (kind: HardwareKind) => boolean,
  ): Promise<boolean> {
    const index = await this.upToDate(tx);
    const fitting = new Set([...this.kinds.values()].filter(fits).map(({ name }) => name));
    if (fitting.size === 0) return false;
    for (const group of index.groups()) {
      const elsewhere = where.cluster && group.physicalClusterId !== where.cluster;
      if (group.zone !== where.zone || elsewhere) continue;
      for (const row of group.rows) {
        index.cursor.row = row;
        if (fitting.has(index.cursor.make.hardware)) return true;
      }
    }
    return false;
  }

  /**
   * By leaf group there, how many a gang's members would find room if nothing were taken or down;
   * `roomOn` says how many on a server of the kind.
   */
  async roomByGroup(
    tx: FleetReads,
    where: { readonly zone: string; readonly cluster: PhysicalClusterId | undefined },
    roomOn: (kind: HardwareKind) => number,
  ): Promise<readonly number[]> {
    const index = await this.upToDate(tx);
    const rooms = new Map([...this.kinds.values()].map((kind) => [kind.name, roomOn(kind)]));
    const groups = index.groups().filter(({ zone, physicalClusterId }) => {
      return zone === where.zone && (!where.cluster || where.cluster === physicalClusterId);
    });
    return groups.map(({ rows }) => {
      let room = 0;
      for (const row of rows) {
        index.cursor.row = row;
        room += rooms.get(index.cursor.make.hardware) ?? 0;
      }
      return room;
    });
  }

  /**
   * The rails, ascending, of every set of so many GPUs of the model that may be given away together
   * on a server there, as they turned out to be, whatever is taken or down; each once.
   */
  async railsOfSets(
    tx: FleetReads,
    where: { readonly zone: string; readonly cluster: PhysicalClusterId },
    gpu: { readonly model: string; readonly count: number },
  ): Promise<readonly (readonly number[])[]> {
    const index = await this.upToDate(tx);
    const masks = new Set<number>();
    for (const { zone, physicalClusterId, rows } of index.groups()) {
      if (zone !== where.zone || physicalClusterId !== where.cluster) continue;
      for (const row of rows) {
        index.cursor.row = row;
        const { gpuModel, bySize } = index.cursor.make;
        if (gpuModel !== gpu.model) continue;
        for (const { rails, apart } of bySize.get(gpu.count) ?? []) if (apart) masks.add(rails);
      }
    }
    return [...masks].map(membersOf);
  }

  private async readAll(tx: FleetReads): Promise<void> {
    this.unread = false;
    try {
      this.index.clear();
      this.nodes.clear();
      this.kinds.clear();
      const claims = new Map((await tx.claims.all()).map((claim) => [claim.nodeId, claim]));
      for (const node of await tx.nodes.all()) {
        this.outdated.delete(node.id);
        const kind = await this.kindOf(tx, node);
        const leaseFresh = this.leases.fresh(node.id);
        const around = kind && { kind, claims: claims.get(node.id), leaseFresh };
        if (around) this.index.put(fleetNode(node, around));
      }
    } catch (err) {
      this.unread = true;
      throw err;
    }
  }

  /** Undefined for a node that is not declared any more. */
  private async kindOf(tx: FleetReads, node: Node): Promise<HardwareKind | undefined> {
    if (node.retired) return undefined;
    const kind = this.kinds.get(node.hardware) ?? (await tx.hardware.get(node.hardware));
    if (kind) this.kinds.set(node.hardware, kind);
    return kind;
  }
}

const views = new WeakMap<Store, FleetView>();

/** The one view of the fleet that belongs to this store. */
export function fleetViewOf(of: { readonly store: Store; readonly leases: Leases }): FleetView {
  const view = views.get(of.store) ?? new FleetView(of.store, of.leases);
  views.set(of.store, view);
  return view;
}
