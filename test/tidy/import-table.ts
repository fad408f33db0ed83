// Who may import whom, as data. A room is the first folder below <workspace>/src or the file that
// stands there; a name with a slash is a room of its own inside another.

/** Workspaces that the sources of each workspace may import. */
export const WORKSPACE_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  proto: [],
  lib: [],
  controller: ["proto", "lib"],
  agent: ["proto", "lib"],
  cli: ["proto", "lib"],
};

/** Rooms (and workspaces) that each room may import beside itself; `*` means all of them. */
export const ROOM_IMPORTS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  controller: {
    config: ["lib"],
    "data-dir": ["lib"],
    domain: ["lib"],
    placement: ["domain", "lib"],
    store: ["domain", "lib"],
    catalog: ["domain", "store(contract)", "lib"],
    service: ["domain", "placement", "store(contract)", "catalog(contract)", "lib"],
    dispatch: ["service", "store(contract)", "domain", "proto", "lib"],
    loops: ["service", "store(contract)", "domain", "lib"],
    api: ["service", "domain", "proto", "lib"],
    controller: ["*"],
    main: ["*"],
  },
  agent: {
    config: ["lib"],
    model: ["lib"],
    layout: ["model", "lib"],
    "reconcile/diff": ["model", "lib"],
    hardware: ["model", "lib"],
    inventory: ["hardware(contract)", "model", "lib"],
    ledger: ["model", "lib"],
    reconcile: ["reconcile/diff", "hardware(contract)", "ledger", "layout", "model", "lib"],
    console: ["hardware(contract)", "model", "lib"],
    link: ["proto", "ledger", "model", "lib"],
    agent: ["*"],
    main: ["*"],
  },
};

/** What `room(contract)` stands for: this file, and types from anywhere in the room. */
export const CONTRACT_FILES: Readonly<Record<string, string>> = {
  store: "contract",
  catalog: "contract",
  hardware: "hardware",
};

/** Packages that only the named files or folders (ending in a slash) may import. */
export const SPECIAL_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@grpc/grpc-js": ["controller/src/api/", "cli/src/"],
  "better-sqlite3": ["controller/src/store/sqlite.ts"],
  pg: ["controller/src/store/postgres.ts"],
  "@nats-io/transport-node": ["lib/src/bus/nats.ts"],
  "@nats-io/nats-core": ["lib/src/bus/nats.ts"],
  "@nats-io/nkeys": ["lib/src/bus/"],
  pino: ["lib/src/log.ts"],
  systeminformation: ["agent/src/hardware/"],
  "node-pty": ["agent/src/console/terminal.ts"],
  "node:child_process": [
    "agent/src/hardware/linux/",
    "agent/src/hardware/host-facts.ts",
    "agent/src/console/terminal.ts",
  ],
};

/** Rooms that decide only: no promises, no clock, no log, no bus. */
export const PURE_ROOMS: readonly string[] = [
  "controller/src/domain/",
  "controller/src/placement/",
  "agent/src/layout/",
  "agent/src/layout.ts",
  "agent/src/reconcile/diff.ts",
  "agent/src/reconcile/diff/",
];

/** Modules of lib that a pure room may not import. */
export const IMPURE_MODULES = /^@railyard\/lib\/(clock|log|loop|config|bus(\/.*)?)$/;

/** True when `path` is one of `places` or lies below one that ends in a slash. */
export function isIn(path: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith("/") ? path.startsWith(place) : path === place));
}
