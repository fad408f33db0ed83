// Prints what a look at the machine found, as text for people. Decides nothing.
import type { NetInterface, PciFunction } from "../hardware/hardware.js";
import type { Device, Nic, Port } from "../model.js";
import type { Survey } from "./survey.js";
import { pciTree } from "./tree.js";

const NONE = "-";
const GAP = "  ";
const VF_SHOWN = "VFs";

/** Sections with a title each; ends with a newline. */
export function printSurvey(survey: Survey): string {
  const { inventory, rails } = survey;
  const { gpus, nics, nvSwitches, warnings } = inventory;
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ["HOST", hostLines(survey)],
    ["PCI", pciTree(survey.facts.functions, (fn) => functionText(fn, survey))],
    ["GPUS", columns(gpus.map((gpu) => deviceRow(gpu, survey)))],
    ["NVSWITCHES", columns(nvSwitches.map((one) => deviceRow(one, survey)))],
    ["NICS", columns(nics.map(nicRow))],
    ["INTERFACES", columns(survey.facts.interfaces.map(interfaceRow))],
    [
      "PAIRS AND RAILS",
      columns(
        rails.map(({ gpu, nic, leaves, order }) => {
          const rail =
            leaves.length > 0 ? leaves.join(" + ") : `no cable seen, slot order ${order}`;
          return [gpu || "no GPU", nic, rail];
        }),
      ),
    ],
    ["WARNINGS", columns(warnings.map((w) => [w.kind, w.deviceId || "machine", w.message]))],
  ];
  return sections
    .map(([title, lines]) => [title, ...indent(lines)].join("\n"))
    .join("\n\n")
    .concat("\n");
}

function hostLines({ host, inventory }: Survey): readonly string[] {
  const { serial, bootId, vcpu, numaCount, memoryMib, diskGib, fabricManager } = inventory;
  return columns([
    ["serial", serial || NONE],
    ["boot id", bootId || NONE],
    ["cpu", `${host?.cpu || NONE}, ${vcpu} logical, ${numaCount} NUMA`],
    ["memory", `${memoryMib} MiB`],
    ["disk", `${diskGib} GiB`],
    ["os", host?.os || NONE],
    ["kernel", host?.kernel || NONE],
    ["system", host?.system || NONE],
    ["board", host?.board || NONE],
    ["fabric manager", fabricManager ? "divides the NVSwitches" : "none in reach"],
  ]);
}

function functionText(fn: PciFunction, { inventory, names }: Survey): string {
  const { gpus, nics, nvSwitches } = inventory;
  const device = [...gpus, ...nics, ...nvSwitches].find((d) => d.pciAddress === fn.address);
  const link = `${fn.linkSpeedGts} GT/s x${fn.linkWidth}`;
  const details = [
    names.kind(fn.classCode),
    names.device(fn.vendor, fn.device),
    device?.deviceId ?? "",
    fn.driver === "" ? "" : `driver ${fn.driver}`,
    fn.numa < 0 ? "" : `NUMA ${fn.numa}`,
    fn.iommuGroup === "" ? "" : `IOMMU ${fn.iommuGroup}`,
    fn.linkWidth === 0 ? "" : link,
    fn.vfsMax === 0 ? "" : `${fn.vfs.length}/${fn.vfsMax} ${VF_SHOWN}`,
  ];
  return details.filter((text) => text !== "").join(", ");
}

function deviceRow(device: Device, { facts, names }: Survey): readonly string[] {
  const fn = facts.functions.find((one) => one.address === device.pciAddress);
  const name = fn === undefined ? device.pciId : names.device(fn.vendor, fn.device);
  return [device.deviceId, name, `NUMA ${device.numa}`, fn?.driver || "no driver"];
}

function nicRow(nic: Nic): readonly string[] {
  return [
    nic.deviceId,
    nic.pfName || NONE,
    nic.rdma || NONE,
    nic.permanentMac || NONE,
    `${nic.speedGbps} Gb/s`,
    `${nic.vfsMax} ${VF_SHOWN}`,
    `NUMA ${nic.numa}`,
    `board ${nic.board || NONE}`,
    portsText(nic.ports),
  ];
}

function interfaceRow(one: NetInterface): readonly string[] {
  const { name, pciAddress, permanentMac, speedMbps, ports } = one;
  const speed = speedMbps > 0 ? `${speedMbps} Mb/s` : NONE;
  return [name, pciAddress, permanentMac || NONE, speed, portsText(ports)];
}

function portsText(ports: readonly Port[]): string {
  const text = ports.map(({ port, up, neighbour }) => {
    return `${port}:${up ? "up" : "down"}:${neighbour || "?"}`;
  });
  return text.join(" ") || "no port";
}

function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join(GAP),
  );
}

function indent(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [`${GAP}none`] : lines.map((line) => GAP + line);
}
