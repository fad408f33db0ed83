// Settings of a virtual function, and how `ip` tells people of them.
import type { VfSettings } from "@railyard/agent/hardware/hardware";

/** Of a VF that was given back. */
export const UNUSED = "00:00:00:00:00:00, spoof checking on, link-state auto, trust off";

/** Settings of a VF in use; no two have the same address. */
export function plain(vf: number): VfSettings {
  return { mac: `02:00:00:00:01:0${vf}`, vlan: 100, rateMbps: 1_000, spoofCheck: true };
}

/** As `ip` tells of a VF that nobody else has changed. */
export function inWords({ mac, vlan, rateMbps, spoofCheck }: VfSettings): string {
  return [
    mac,
    ...(vlan > 0 ? [`vlan ${vlan}`] : []),
    ...(rateMbps > 0 ? [`max_tx_rate ${rateMbps}Mbps`] : []),
    `spoof checking ${spoofCheck ? "on" : "off"}`,
    "link-state auto, trust off",
  ].join(", ");
}
