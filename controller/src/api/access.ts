// Who may call what: one table of every RPC. A server with an RPC that is not in it does not start.
import { bug, refuse } from "@railyard/lib/errors";
import type { Principal, Role } from "../domain/lifecycle.js";

const TENANT_READ: readonly Role[] = ["tenant-viewer", "tenant-editor", "tenant-admin"];
const TENANT_WRITE: readonly Role[] = ["tenant-editor", "tenant-admin"];
const ADMIN_READ: readonly Role[] = ["operator", "release-engineer", "auditor"];
const OPERATE: readonly Role[] = ["operator"];
const RELEASE: readonly Role[] = ["release-engineer"];

/** Service and RPC name → roles of which the caller needs one. */
const ACCESS: Readonly<Record<string, Readonly<Record<string, readonly Role[]>>>> = {
  "railyard.v1.ClusterNetworkProfileService": {
    ListClusterNetworkProfiles: TENANT_READ,
    GetClusterNetworkProfile: TENANT_READ,
  },
  "railyard.v1.ClusterNetworkService": {
    CreateClusterNetwork: TENANT_WRITE,
    GetClusterNetwork: TENANT_READ,
    ListClusterNetworks: TENANT_READ,
    UpdateClusterNetwork: TENANT_WRITE,
    DeleteClusterNetwork: TENANT_WRITE,
  },
  "railyard.v1.ClusterNetworkSubnetService": {
    CreateClusterNetworkSubnet: TENANT_WRITE,
    GetClusterNetworkSubnet: TENANT_READ,
    ListClusterNetworkSubnets: TENANT_READ,
    UpdateClusterNetworkSubnet: TENANT_WRITE,
    DeleteClusterNetworkSubnet: TENANT_WRITE,
  },
  "railyard.v1.ClusterNetworkSubnetReservedIpService": {
    CreateClusterNetworkSubnetReservedIp: TENANT_WRITE,
    GetClusterNetworkSubnetReservedIp: TENANT_READ,
    ListClusterNetworkSubnetReservedIps: TENANT_READ,
    UpdateClusterNetworkSubnetReservedIp: TENANT_WRITE,
    DeleteClusterNetworkSubnetReservedIp: TENANT_WRITE,
  },
  "railyard.v1.ClusterNetworkInterfaceService": {
    CreateClusterNetworkInterface: TENANT_WRITE,
    GetClusterNetworkInterface: TENANT_READ,
    ListClusterNetworkInterfaces: TENANT_READ,
    UpdateClusterNetworkInterface: TENANT_WRITE,
    DeleteClusterNetworkInterface: TENANT_WRITE,
  },
  "railyard.v1.InstanceProfileService": {
    ListInstanceProfiles: TENANT_READ,
    GetInstanceProfile: TENANT_READ,
  },
  "railyard.v1.InstanceService": {
    CreateInstance: TENANT_WRITE,
    GetInstance: TENANT_READ,
    ListInstances: TENANT_READ,
    UpdateInstance: TENANT_WRITE,
    DeleteInstance: TENANT_WRITE,
    StartInstance: TENANT_WRITE,
    StopInstance: TENANT_WRITE,
    RebootInstance: TENANT_WRITE,
    BatchCreateInstances: TENANT_WRITE,
    GetInstanceLayout: TENANT_READ,
    AttachConsole: TENANT_WRITE,
  },
  "railyard.v1.InstanceClusterNetworkAttachmentService": {
    CreateInstanceClusterNetworkAttachment: TENANT_WRITE,
    GetInstanceClusterNetworkAttachment: TENANT_READ,
    ListInstanceClusterNetworkAttachments: TENANT_READ,
    UpdateInstanceClusterNetworkAttachment: TENANT_WRITE,
    DeleteInstanceClusterNetworkAttachment: TENANT_WRITE,
    MoveInstanceClusterNetworkAttachment: TENANT_WRITE,
    BatchCreateInstanceClusterNetworkAttachments: TENANT_WRITE,
  },
  "railyard.v1.PlacementService": {
    CheckCapacity: TENANT_READ,
    CreateHold: TENANT_WRITE,
    GetHold: TENANT_READ,
    ListHolds: TENANT_READ,
    DeleteHold: TENANT_WRITE,
  },
  "railyard.v1.WatchService": {
    WatchObjects: TENANT_READ,
  },
  "railyard.admin.v1.MzoneService": {
    ValidateMzone: RELEASE,
    PlanMzone: RELEASE,
    ApplyMzone: RELEASE,
    GetMzonePlan: ADMIN_READ,
    ListMzonePlans: ADMIN_READ,
    ExportMzone: ADMIN_READ,
  },
  "railyard.admin.v1.PhysicalClusterService": {
    ListPhysicalClusters: ADMIN_READ,
    GetPhysicalCluster: ADMIN_READ,
  },
  "railyard.admin.v1.NodeService": {
    ListNodes: ADMIN_READ,
    GetNode: ADMIN_READ,
    CordonNode: OPERATE,
    UncordonNode: OPERATE,
    DrainNode: OPERATE,
    FenceNode: OPERATE,
    CreateJoinToken: OPERATE,
    ListStuck: ADMIN_READ,
    AddFault: OPERATE,
    ListFaults: ADMIN_READ,
    RemoveFault: OPERATE,
    GetPlacedLayout: ADMIN_READ,
  },
  "railyard.admin.v1.PlacementAdminService": {
    ExplainPlacement: ADMIN_READ,
    SimulatePlacement: ADMIN_READ,
    GetFragmentation: ADMIN_READ,
    ProposeDefragmentation: ADMIN_READ,
  },
  "railyard.admin.v1.TokenService": {
    CreateToken: OPERATE,
    ListTokens: ADMIN_READ,
    RevokeToken: OPERATE,
  },
  "railyard.admin.v1.QuotaService": {
    GetQuota: ADMIN_READ,
    SetQuota: OPERATE,
  },
  "railyard.admin.v1.StoreService": {
    BackupStore: OPERATE,
  },
  "railyard.admin.v1.AuditService": {
    ListAuditRecords: ADMIN_READ,
    VerifyAuditLog: ADMIN_READ,
  },
  "railyard.admin.v1.DoctorService": {
    CheckInvariants: ADMIN_READ,
    ListLoops: ADMIN_READ,
  },
};

/** The roles for an RPC; throws `bug` when the table lacks it. */
export function rolesFor(service: string, method: string): readonly Role[] {
  const roles = ACCESS[service]?.[method];
  if (!roles) throw bug(`${service}/${method} is not in the access table`);
  return roles;
}

/** Throws `forbidden` unless the caller has one of the roles. */
export function authorise(principal: Principal, roles: readonly Role[]): void {
  if (principal.roles.some((role) => roles.includes(role))) return;
  throw refuse("forbidden", "the credentials do not allow this call");
}
