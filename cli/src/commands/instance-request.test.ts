// From flags to the request of an instance.
import { expect, test } from "vitest";
import { requestOf } from "./instance-file.js";
import { attachesOf, prototypesOf, spread, templateOf } from "./instance-request.js";

const REQUIRED = { profile: "p", zone: "z", image: "img-1", vpcSubnet: "vsub-1" };

test("the flags of an instance become its template", () => {
  const template = templateOf(
    {
      ...REQUIRED,
      bootVolume: "vol-0",
      volume: ["vol-1", "vol-2"],
      networkAttachment: ["subnet=vsub-2,name=eth1"],
      metadataEnabled: true,
      metadataProtocol: "https",
      metadataHopLimit: "3",
      hostFailure: "stop",
    },
    "#cloud-config",
  );
  expect(template).toMatchObject({
    zone: "z",
    profile: "p",
    imageId: "img-1",
    primaryNetworkAttachment: { subnetId: "vsub-1" },
    networkAttachments: [{ subnetId: "vsub-2", name: "eth1" }],
    bootVolumeId: "vol-0",
    volumeIds: ["vol-1", "vol-2"],
    userData: "#cloud-config",
    metadataService: { enabled: true, protocol: 2, hopLimit: 3 },
    availabilityPolicy: { hostFailure: 2 },
  });
});

test("a missing or wrong flag is named", () => {
  expect(() => templateOf({ ...REQUIRED, zone: "" }, "")).toThrow("--zone");
  expect(() => templateOf({ ...REQUIRED, hostFailure: "x" }, "")).toThrow("restart, stop");
  expect(() => attachesOf({ attach: ["rail=1"] })).toThrow('--attach: "rail=1"');
  expect(() => attachesOf({ attach: ["name=a"] })).toThrow("subnet=, interface=");
  expect(() => attachesOf({ attach: ["subnet=a,interface=b"] })).toThrow("must have one of");
  expect(() => attachesOf({ attach: ["interface=b,address=10.0.0.9"] })).toThrow("address");
  expect(() => attachesOf({ count: "8" })).toThrow("--attachments-from");
  expect(() => attachesOf({ attach: ["subnet=a"], attachmentsFrom: "b" })).toThrow("--attach");
});

test("blocked gives neighbours the same subnet, round-robin goes round", () => {
  expect(spread(["a", "b"], 4, "blocked")).toEqual(["a", "a", "b", "b"]);
  expect(spread(["a", "b"], 4, "round-robin")).toEqual(["a", "b", "a", "b"]);
  expect(() => spread(["a"], 65, "blocked")).toThrow("1 to 64");
  expect(() => spread(["a"], 1, "random")).toThrow("blocked, round-robin");
});

test("attachments keep their order, and each name is looked up once", async () => {
  const asked: string[] = [];
  const lookUp = async (text: string) => {
    asked.push(text);
    return `id-${text}`;
  };
  const attaches = [
    ...attachesOf({ attachmentsFrom: "subnet=s1,s2", count: "4" }),
    ...attachesOf({
      attach: ["interface=nic,name=last", "subnet=s1,address=10.0.0.9", "reserved-ip=ip-1"],
    }),
  ];
  const prototypes = await prototypesOf(attaches, { subnet: lookUp, interface: lookUp });
  expect(asked).toEqual(["s1", "s2", "nic"]);
  const made = (subnetId: string) => ({ $case: "newInterface", value: { subnetId } });
  expect(prototypes).toMatchObject([
    { interface: made("id-s1") },
    { interface: made("id-s1") },
    { interface: made("id-s2") },
    { interface: made("id-s2") },
    { name: "last", interface: { $case: "interfaceId", value: "id-nic" } },
    {
      interface: {
        value: { primaryIp: { source: { value: { address: "10.0.0.9" } } } },
      },
    },
    {
      interface: {
        value: { subnetId: "", primaryIp: { source: { $case: "reservedIpId", value: "ip-1" } } },
      },
    },
  ]);
});

test("a file becomes a request, and every field that is misspelt is named", () => {
  const template = {
    zone: "z",
    metadataService: { enabled: false },
    cluster_network_attachments: [{ interface_id: "cni-1" }],
  };
  expect(requestOf({ name: "a", template }).template).toMatchObject({
    zone: "z",
    clusterNetworkAttachments: [{ interface: { $case: "interfaceId", value: "cni-1" } }],
  });
  const wrong = {
    nme: "a",
    template: { zon: "z", volumeIds: ["v"], networkAttachments: [{ x: 1 }] },
  };
  expect(() => requestOf(wrong)).toThrow(
    /nme.*template\.zon:.*template\.networkAttachments\[0\]\.x/,
  );
});
