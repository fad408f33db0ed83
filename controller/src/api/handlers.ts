// Which handlers each listener has. A noun with RPCs is added here, and nowhere else in this room.
import type { ConsoleLines } from "../service/console.js";
import type { ServiceContext } from "../service/context.js";
import type { WatchHub } from "../service/watch/hub.js";
import { attachmentHandlers } from "./attachment.js";
import { auditHandlers } from "./audit.js";
import { clusterNetworkHandlers } from "./cluster-network.js";
import { consoleHandlers } from "./console.js";
import type { AnyHandlers } from "./handler.js";
import { instanceHandlers } from "./instance.js";
import { interfaceHandlers } from "./interface.js";
import { mzoneHandlers } from "./mzone.js";
import { nodeHandlers } from "./node.js";
import { nodeFaultHandlers } from "./node-fault.js";
import { physicalClusterHandlers } from "./physical-cluster.js";
import { placementHandlers } from "./placement.js";
import { placementAdminHandlers } from "./placement-admin.js";
import { clusterNetworkProfileHandlers, instanceProfileHandlers } from "./profile.js";
import { quotaHandlers } from "./quota.js";
import { reservedIpHandlers } from "./reserved-ip.js";
import type { Sealer } from "./seal.js";
import { subnetHandlers } from "./subnet.js";
import { tokenHandlers } from "./token.js";
import { watchHandlers } from "./watch.js";

export interface TenantParts {
  readonly hub: WatchHub;
  readonly consoles: ConsoleLines;
}

export function tenantHandlers(ctx: ServiceContext, { hub, consoles }: TenantParts): AnyHandlers {
  return {
    ...clusterNetworkProfileHandlers(ctx),
    ...clusterNetworkHandlers(ctx),
    ...subnetHandlers(ctx),
    ...reservedIpHandlers(ctx),
    ...interfaceHandlers(ctx),
    ...instanceProfileHandlers(ctx),
    ...instanceHandlers(ctx),
    ...consoleHandlers(ctx, consoles),
    ...attachmentHandlers(ctx),
    ...placementHandlers(ctx),
    ...watchHandlers(hub),
  };
}

export interface AdminKeys {
  /** base64url of the key that signs desired states; agents are told it when they enrol. */
  readonly signing: string;
  /** Seals the secrets in answers that are kept for repeated requests. */
  readonly sealer: Sealer;
}

export function adminHandlers(ctx: ServiceContext, { signing, sealer }: AdminKeys): AnyHandlers {
  return {
    ...mzoneHandlers(ctx),
    ...physicalClusterHandlers(ctx),
    ...nodeHandlers(ctx, signing),
    ...nodeFaultHandlers(ctx),
    ...placementAdminHandlers(ctx),
    ...tokenHandlers(ctx, sealer),
    ...quotaHandlers(ctx),
    ...auditHandlers(ctx),
  };
}
