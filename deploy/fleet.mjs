// The declared servers of an mzone file, and the made-up machine that stands in for each of them.
// Reads the file for the demo only: what it means is the controller's business.
import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";

/** Every server that the mzone file at `path` declares, with the leaves it can be cabled to. */
export function declaredServers(path) {
  const mzone = parse(readFileSync(path, "utf8"));
  return mzone.zones.flatMap(({ physicalClusters, servers }) =>
    servers.map((server) => ({ ...server, leafGroup: leafGroupOf(server, physicalClusters) })),
  );
}

/** The description of the made-up machine that matches what `server` is declared to be. */
export function madeUpMachine({ serial, hardware, leafGroup, cabling }) {
  if (cabling !== "standard") throw new Error(`${serial}: only standard cabling can be made up`);
  const rails = [...leafGroup.rails].sort((a, b) => a.rail - b.rail);
  return { model: hardware, serial, cabling: rails.map(({ leaves }) => leaves) };
}

/**
 * Takes the comment away from the server `name` in the mzone file at `path` and raises the file's
 * generation, as a person with an editor would; answers the changed lines, old and new.
 */
export function uncommentServer(path, name) {
  const before = readFileSync(path, "utf8").split("\n");
  const after = before.map((line) => {
    if (line.includes(`{name: ${name},`)) return line.replace(/# (?=- )/, "");
    if (!line.startsWith("metadata:")) return line;
    return line.replace(/generation: (\d+)/, (_, n) => `generation: ${Number(n) + 1}`);
  });
  writeFileSync(path, after.join("\n"));
  const changed = before.flatMap((line, i) => (line === after[i] ? [] : [[line, after[i]]]));
  return changed.map(([old, now]) => ({ old: old.trim(), now: now.trim() }));
}

function leafGroupOf(server, clusters) {
  const cluster = clusters.find(({ name }) => name === server.cluster);
  const group = cluster?.leafGroups.find(({ name }) => name === server.leafGroup);
  if (!group) throw new Error(`${server.name} names no leaf group of a cluster in its zone`);
  return group;
}
