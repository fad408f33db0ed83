// What cloud-init is told.
import { expect, test } from "vitest";
import type { GuestSpec } from "../../../model.js";
import { addressesIn, seedFiles } from "./seed.js";

const MAC = "02:00:00:00:00:01";
const attachment = { position: 0, mac: MAC, address: "10.0.0.5/24", mtu: 9000 };
const spec = {
  instanceId: "ins-1",
  name: 'one"\n- two',
  addresses: { [MAC]: "10.0.0.5/24" },
  desired: {
    attachments: [attachment],
    vpcNics: [{ subnetId: "s", mac: "02:00:00:00:ff:01" }],
    userData: new Uint8Array(),
    sshKeys: ["ssh-ed25519 AAAA"],
  },
} as unknown as GuestSpec;

test("the network configuration is read back as it was written", () => {
  expect(addressesIn(seedFiles(spec)["network-config"])).toEqual({ [MAC]: "10.0.0.5/24" });
  expect(addressesIn('{"version":')).toEqual({});
});

test("interfaces are named by position and matched by address", () => {
  expect(JSON.parse(seedFiles(spec)["network-config"]).ethernets).toEqual({
    cluster0: {
      match: { macaddress: MAC },
      optional: true,
      mtu: 9000,
      addresses: ["10.0.0.5/24"],
    },
    vpc0: { match: { macaddress: "02:00:00:00:ff:01" }, optional: true, dhcp4: true },
  });
});

test("a name that looks like YAML stays one text", () => {
  const meta = JSON.parse(seedFiles(spec)["meta-data"]);
  expect(meta).toEqual({
    "instance-id": "ins-1",
    "local-hostname": 'one"\n- two',
    "public-keys": ["ssh-ed25519 AAAA"],
  });
});
