// What each kind of tenant-visible object is called in references and errors: its `resource_type`.

export const RESOURCE_TYPE = {
  attachment: "instance_cluster_network_attachment",
  clusterNetwork: "cluster_network",
  clusterNetworkProfile: "cluster_network_profile",
  hold: "hold",
  image: "image",
  instance: "instance",
  instanceProfile: "instance_profile",
  interface: "cluster_network_interface",
  key: "key",
  networkAttachment: "instance_network_attachment",
  placementTarget: "placement_target",
  reservedIp: "cluster_network_subnet_reserved_ip",
  resourceGroup: "resource_group",
  subnet: "cluster_network_subnet",
  volume: "volume",
  vpc: "vpc",
  vpcSubnet: "subnet",
  zone: "zone",
} as const;

export type ResourceType = (typeof RESOURCE_TYPE)[keyof typeof RESOURCE_TYPE];
