// What the index keeps of each node, in columns of numbers: some thirty bytes beside its id. A row
// is a number; rows of nodes that went are used again. Knows no rule.
import type { NodeId, PhysicalClusterId } from "@railyard/lib/ids";
import type { NodeFacts, NodeState } from "./facts.js";
import type { FleetNode } from "./fleet.js";
import type { LeafGroup } from "./leaf-group.js";
import type { Make } from "./make.js";
import { lot } from "./preferences.js";
import { States } from "./states.js";

const ROWS_AT_FIRST = 64;
const ELIGIBLE = 1;
const FRESH = 2;
const MATCHES = 4;

/** What is known of a node's row beside the node itself. */
export interface Where {
  readonly group: LeafGroup;
  /** Number of its make. */
  readonly make: number;
}

export class Columns {
  readonly ids: (NodeId | undefined)[] = [];
  readonly groups: (LeafGroup | undefined)[] = [];
  makes = new Uint16Array(ROWS_AT_FIRST);
  flags = new Uint8Array(ROWS_AT_FIRST);
  healthy = new Uint32Array(ROWS_AT_FIRST);
  free = new Uint32Array(ROWS_AT_FIRST);
  vcpu = new Int32Array(ROWS_AT_FIRST);
  memoryMib = new Int32Array(ROWS_AT_FIRST);
  diskGib = new Int32Array(ROWS_AT_FIRST);
  lots = new Uint32Array(ROWS_AT_FIRST);
  /** Where the row stands in its leaf group: see `markOf`. */
  marks = new Uint8Array(ROWS_AT_FIRST);
  /** Rows with the same number hold the same of all that may change, and are of one make. */
  states = new Uint32Array(ROWS_AT_FIRST);
  private readonly unused: number[] = [];

  constructor(
    readonly known: readonly Make[],
    private readonly numbers = new States(),
  ) {}

  /** The same rows in leaf groups of their own; what is written to one is not in the other. */
  copy(groupOf: ReadonlyMap<LeafGroup, LeafGroup>): Columns {
    const copy = new Columns(this.known, this.numbers.copy());
    for (const id of this.ids) copy.ids.push(id);
    for (const group of this.groups) copy.groups.push(group && groupOf.get(group));
    copy.makes = this.makes.slice();
    copy.flags = this.flags.slice();
    copy.healthy = this.healthy.slice();
    copy.free = this.free.slice();
    copy.vcpu = this.vcpu.slice();
    copy.memoryMib = this.memoryMib.slice();
    copy.diskGib = this.diskGib.slice();
    copy.lots = this.lots.slice();
    copy.marks = this.marks.slice();
    copy.states = this.states.slice();
    for (const row of this.unused) copy.unused.push(row);
    return copy;
  }

  /** A row for another node. */
  take(): number {
    const row = this.unused.pop() ?? this.ids.push(undefined) - 1;
    if (row >= this.flags.length) this.grow();
    return row;
  }

  /** Whether states kept their numbers; else all got others. */
  write(row: number, node: FleetNode, { group, make }: Where): boolean {
    this.ids[row] = node.nodeId;
    this.groups[row] = group;
    this.makes[row] = make;
    this.flags[row] = flagsOf(node);
    this.healthy[row] = healthyOf(node);
    this.free[row] = freeOf(node);
    this.vcpu[row] = node.free.vcpu;
    this.memoryMib[row] = node.free.memoryMib;
    this.diskGib[row] = node.free.diskGib;
    this.lots[row] = lot(node.nodeId);
    return this.number(row);
  }

  /** Another state of the row's node; whether states kept their numbers, else all got others. */
  adjust(row: number, state: Partial<NodeState>): boolean {
    const { leaseFresh, healthy, free, vcpu, memoryMib, diskGib } = state;
    if (leaseFresh !== undefined) {
      const others = (this.flags[row] as number) & ~FRESH;
      this.flags[row] = leaseFresh ? others | FRESH : others;
    }
    if (healthy !== undefined) this.healthy[row] = healthy;
    if (free !== undefined) this.free[row] = free;
    if (vcpu !== undefined) this.vcpu[row] = vcpu;
    if (memoryMib !== undefined) this.memoryMib[row] = memoryMib;
    if (diskGib !== undefined) this.diskGib[row] = diskGib;
    return this.number(row);
  }

  /** Whether this is what the row holds already; a row's node and leaf group never change. */
  has(row: number, node: FleetNode, make: number): boolean {
    const { vcpu, memoryMib, diskGib } = node.free;
    return (
      this.makes[row] === make &&
      this.flags[row] === flagsOf(node) &&
      this.healthy[row] === healthyOf(node) &&
      this.free[row] === freeOf(node) &&
      this.vcpu[row] === vcpu &&
      this.memoryMib[row] === memoryMib &&
      this.diskGib[row] === diskGib
    );
  }

  /** Gives the row back. */
  drop(row: number): void {
    this.ids[row] = undefined;
    this.groups[row] = undefined;
    this.unused.push(row);
  }

  private number(row: number): boolean {
    const number = this.numbers.numberOf(this.stateOf(row));
    if (number === undefined) this.numberAll();
    else this.states[row] = number;
    return number !== undefined;
  }

  /** There are many more numbers than rows, so they do not run out again meanwhile. */
  private numberAll(): void {
    this.numbers.clear();
    for (const row of this.ids.keys()) {
      this.states[row] = this.numbers.numberOf(this.stateOf(row)) as number;
    }
  }

  private stateOf(row: number): string {
    const { makes, flags, healthy, free, vcpu, memoryMib, diskGib } = this;
    const pairs = `${makes[row]} ${flags[row]} ${healthy[row]} ${free[row]}`;
    return `${pairs} ${vcpu[row]} ${memoryMib[row]} ${diskGib[row]}`;
  }

  private grow(): void {
    this.makes = wider(this.makes, Uint16Array);
    this.flags = wider(this.flags, Uint8Array);
    this.healthy = wider(this.healthy, Uint32Array);
    this.free = wider(this.free, Uint32Array);
    this.vcpu = wider(this.vcpu, Int32Array);
    this.memoryMib = wider(this.memoryMib, Int32Array);
    this.diskGib = wider(this.diskGib, Int32Array);
    this.lots = wider(this.lots, Uint32Array);
    this.marks = wider(this.marks, Uint8Array);
    this.states = wider(this.states, Uint32Array);
  }
}

function flagsOf(node: FleetNode): number {
  const { eligible, leaseFresh, inventoryMatches } = node;
  return (eligible ? ELIGIBLE : 0) | (leaseFresh ? FRESH : 0) | (inventoryMatches ? MATCHES : 0);
}

function healthyOf({ pairs }: FleetNode): number {
  let mask = 0;
  for (let p = 0; p < pairs.length; p++) if (pairs[p]?.healthy) mask |= 1 << p;
  return mask >>> 0;
}

function freeOf({ pairs }: FleetNode): number {
  let mask = 0;
  for (let p = 0; p < pairs.length; p++) if (pairs[p]?.free) mask |= 1 << p;
  return mask >>> 0;
}

interface Column {
  readonly length: number;
}

/** Little, so that little stands empty: all of a row is some thirty bytes. */
const GROWTH = 1.25;

function wider<C extends Column & { set(from: C): void }>(from: C, make: new (n: number) => C): C {
  const to = new make(Math.ceil(from.length * GROWTH));
  to.set(from);
  return to;
}

/** Reads one row after another without making objects: set `row`, then read. */
export class Cursor implements NodeFacts {
  row = 0;

  constructor(private readonly columns: Columns) {}

  get nodeId(): NodeId {
    return this.columns.ids[this.row] as NodeId;
  }
  get group(): LeafGroup {
    return this.columns.groups[this.row] as LeafGroup;
  }
  get zone(): string {
    return this.group.zone;
  }
  get physicalClusterId(): PhysicalClusterId {
    return this.group.physicalClusterId;
  }
  get make(): Make {
    return this.columns.known[this.columns.makes[this.row] as number] as Make;
  }
  get eligible(): boolean {
    return this.has(ELIGIBLE);
  }
  get leaseFresh(): boolean {
    return this.has(FRESH);
  }
  get inventoryMatches(): boolean {
    return this.has(MATCHES);
  }
  get healthy(): number {
    return this.columns.healthy[this.row] as number;
  }
  get free(): number {
    return this.columns.free[this.row] as number;
  }
  get vcpu(): number {
    return this.columns.vcpu[this.row] as number;
  }
  get memoryMib(): number {
    return this.columns.memoryMib[this.row] as number;
  }
  get diskGib(): number {
    return this.columns.diskGib[this.row] as number;
  }
  get lot(): number {
    return this.columns.lots[this.row] as number;
  }

  /** The number of what the row holds: rows with the same one offer the same. */
  stateOf(row: number): number {
    return this.columns.states[row] as number;
  }

  lotOf(row: number): number {
    return this.columns.lots[row] as number;
  }

  nameOf(row: number): NodeId {
    return this.columns.ids[row] as NodeId;
  }

  private has(flag: number): boolean {
    return ((this.columns.flags[this.row] as number) & flag) !== 0;
  }
}
