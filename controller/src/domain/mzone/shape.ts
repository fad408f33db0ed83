// The shape of the mzone document: members, types, bounds and forms of names. What one member says
// about another is not looked at here.
import { type Check, choice, flag, integer, list, optional, record, text } from "./checker.js";
import type {
  AttachmentsDecl,
  ClusterNetworkProfileDecl,
  HardwareDecl,
  InstanceProfileDecl,
  LeafGroupDecl,
  Mzone,
  PhysicalClusterDecl,
  ServerDecl,
  ZoneDecl,
} from "./document.js";

const NAME_MAX = 63;
const PROFILES_MAX = 256;
const CATALOG_MAX = 4_096;
const ZONES_MAX = 16;
const CLUSTERS_MAX = 256;
const LEAF_GROUPS_MAX = 1_024;
const RAILS_MAX = 64;
/** What the API shows of an instance, and takes in one request. */
const ATTACHMENTS_MAX = 64;
const LEAVES_MAX = 16;
const SERVERS_MAX = 16_384;
const COUNT_MAX = 2 ** 31 - 1;

/** Names reach subjects, file names and tables; more is not allowed in them. */
const NAME = text({
  max: NAME_MAX,
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  form: "must be lower-case letters, digits and inner hyphens",
});
const ID = text({ max: 64, pattern: /^[-0-9a-z_]+$/, form: "must match ^[-0-9a-z_]{1,64}$" });
const SERIAL = text({
  max: 64,
  pattern: /^[A-Za-z0-9][-._A-Za-z0-9]*$/,
  form: "must be letters, digits, hyphens, dots and underscores",
});
const PCI_ID = text({
  max: 9,
  pattern: /^[0-9a-f]{4}:[0-9a-f]{4}$/,
  form: "must be vendor:device in lower-case hexadecimal, such as 10de:2330",
});
const WORD = text({ max: NAME_MAX, pattern: /^[A-Za-z0-9][-._ A-Za-z0-9]*$/ });
const PATH = text({ max: 1_024, pattern: /^[^\p{Cc}]+$/u, form: "must not be empty" });
const SHA256 = text({ max: 64, pattern: /^[0-9a-f]{64}$/, form: "must be 64 hexadecimal digits" });
const PUBLIC_KEY = text({
  max: 8_192,
  pattern: /^[-@.a-z0-9]+ [A-Za-z0-9+/=]+( [^\p{Cc}]*)?$/u,
  form: "must be one line of an OpenSSH public key",
});

const positive = integer(1, COUNT_MAX);
const count = integer(0, COUNT_MAX);

const clusterNetworkProfile = record<ClusterNetworkProfileDecl>({
  name: NAME,
  family: NAME,
  clusterTypes: list(NAME, { min: 1, max: 64 }),
  fabric: optional(choice("roce", "infiniband"), "roce"),
  rails: integer(1, RAILS_MAX),
  speedGbps: integer(1, 10_000),
  mtu: integer(576, 9_216),
  railAlignment: choice("preferred", "required", "none"),
  minRails: integer(1, RAILS_MAX),
  onRailDown: choice("keep", "stop"),
  subnetRouting: flag(),
  isolation: optional(choice("vlan", "vni", "pkey"), undefined),
  instanceProfiles: list(NAME, { max: PROFILES_MAX }),
});

const attachmentCount = integer(1, ATTACHMENTS_MAX);
const attachments: Check<AttachmentsDecl> = record<AttachmentsDecl>({
  enum: optional(list(attachmentCount, { min: 1, max: 32 }), undefined),
  default: optional(attachmentCount, undefined),
  range: optional(
    record({ min: attachmentCount, max: attachmentCount, step: attachmentCount }),
    undefined,
  ),
});

const instanceProfile = record<InstanceProfileDecl>({
  name: NAME,
  family: optional(NAME, undefined),
  vcpu: positive,
  memoryGiB: positive,
  gpu: optional(
    record({
      manufacturer: optional(WORD, "NVIDIA"),
      model: WORD,
      count: integer(1, 64),
      memoryGiB: positive,
    }),
    undefined,
  ),
  numaCount: optional(integer(1, 64), 1),
  bandwidthMbps: optional(count, 0),
  diskGiB: optional(count, 0),
  attachments: optional(attachments, undefined),
  attachmentLayout: optional(choice("blocked", "strided"), "blocked"),
});

const item = { id: ID, name: NAME, account: optional(ID, undefined) };

const catalog = record<Mzone["catalog"]>({
  images: optional(
    list(record({ ...item, path: PATH, sha256: SHA256, sizeBytes: integer(1, 2 ** 50) }), {
      max: CATALOG_MAX,
    }),
    [],
  ),
  keys: optional(list(record({ ...item, publicKey: PUBLIC_KEY }), { max: CATALOG_MAX }), []),
  vpcs: optional(list(record(item), { max: CATALOG_MAX }), []),
  vpcSubnets: optional(list(record({ ...item, vpc: ID, zone: NAME }), { max: CATALOG_MAX }), []),
  volumes: optional(
    list(record({ ...item, zone: NAME, capacityGiB: positive }), { max: CATALOG_MAX }),
    [],
  ),
});

const leafGroup = record<LeafGroupDecl>({
  name: NAME,
  rails: list(
    record({
      rail: integer(0, RAILS_MAX - 1),
      leaves: list(NAME, { min: 1, max: LEAVES_MAX }),
    }),
    { min: 1, max: RAILS_MAX },
  ),
});

const physicalCluster = record<PhysicalClusterDecl>({
  name: NAME,
  type: NAME,
  enabled: optional(flag(), true),
  isolation: record({
    kind: choice("vlan", "vni", "pkey"),
    range: list(integer(1, 2 ** 24 - 1), { min: 2, max: 2 }),
  }),
  leafGroups: list(leafGroup, { min: 1, max: LEAF_GROUPS_MAX }),
});

const exceptions = list(
  record({ rail: integer(0, RAILS_MAX - 1), port: integer(0, LEAVES_MAX - 1), leaf: NAME }),
  { min: 1, max: RAILS_MAX * LEAVES_MAX },
);

const server = record<ServerDecl>({
  name: NAME,
  serial: SERIAL,
  role: optional(choice("hypervisor", "fabric"), "hypervisor"),
  cluster: NAME,
  leafGroup: optional(NAME, ""),
  hardware: optional(NAME, ""),
  cabling: optional((value, path, faults) => {
    if (value === "standard") return [];
    if (Array.isArray(value)) return exceptions(value, path, faults);
    faults.add(path, "must be standard, or a list of exceptions");
    return [];
  }, []),
});

const zone = record<ZoneDecl>({
  name: NAME,
  physicalClusters: list(physicalCluster, { max: CLUSTERS_MAX }),
  servers: optional(list(server, { max: SERVERS_MAX }), []),
});

const hardware = record<HardwareDecl>({
  name: NAME,
  vcpu: positive,
  memoryGiB: positive,
  diskGiB: count,
  gpus: record({ count: integer(0, 64), pci: PCI_ID, model: WORD }),
  nics: record({
    count: integer(0, 64),
    pci: PCI_ID,
    ports: integer(1, LEAVES_MAX),
    speedGbps: positive,
    vfs: integer(0, 256),
  }),
  nvSwitch: optional(flag(), true),
  fabricManager: optional(flag(), false),
  pairing: choice("pcie-switch"),
  iommu: choice("strict", "shared"),
  lab: optional(flag(), false),
});

/** The whole document. */
export const mzoneShape: Check<Mzone> = record<Mzone>({
  apiVersion: choice("railyard/v1"),
  kind: choice("Mzone"),
  metadata: record({ name: NAME, generation: integer(1, Number.MAX_SAFE_INTEGER) }),
  profiles: record({
    clusterNetworks: list(clusterNetworkProfile, { max: PROFILES_MAX }),
    instances: list(instanceProfile, { max: PROFILES_MAX }),
  }),
  catalog: optional(catalog, { images: [], keys: [], vpcs: [], vpcSubnets: [], volumes: [] }),
  zones: list(zone, { max: ZONES_MAX }),
  hardware: list(hardware, { max: PROFILES_MAX }),
});
