// The workspaces of this repository and where the sources of each begin, for build scripts.

/** Every workspace, in the order in which they depend on each other. */
export const WORKSPACES = [
  { name: "proto", source: "src" },
  { name: "lib", source: "src" },
  { name: "controller", source: "src" },
  { name: "agent", source: "src" },
  { name: "cli", source: "src" },
  { name: "test", source: "." },
];
