// TokenService: tokens between wire and use case. The secret leaves once, in the answer; the copy
// of that answer which makes repeating safe is sealed.
import {
  CreateTokenResponse,
  RevokeTokenResponse,
  type TokenServiceServer,
  Role as WireRole,
  type Token as WireToken,
} from "@railyard/proto/gen/railyard/admin/v1/token";
import type { Role } from "../domain/lifecycle.js";
import type { Token } from "../domain/token.js";
import type { ServiceContext } from "../service/context.js";
import {
  createToken,
  listTokens,
  type NewToken,
  revokeToken,
  tokenEtag,
} from "../service/token.js";
import { msOf } from "./duration.js";
import type { Handlers } from "./handler.js";
import { idFrom } from "./id.js";
import { pageToken, readPage } from "./paging.js";
import type { Sealer } from "./seal.js";

const WIRE_ROLES: Readonly<Record<Role, WireRole>> = {
  "tenant-viewer": WireRole.ROLE_TENANT_VIEWER,
  "tenant-editor": WireRole.ROLE_TENANT_EDITOR,
  "tenant-admin": WireRole.ROLE_TENANT_ADMIN,
  operator: WireRole.ROLE_OPERATOR,
  "release-engineer": WireRole.ROLE_RELEASE_ENGINEER,
  auditor: WireRole.ROLE_AUDITOR,
};
const ROLES = new Map(Object.entries(WIRE_ROLES).map(([role, wire]) => [wire, role as Role]));

export function tokenHandlers(ctx: ServiceContext, sealer: Sealer): Handlers<TokenServiceServer> {
  return {
    createToken(request, rpc) {
      const { account, name, ttl } = request;
      const call = rpc.mutation(request, CreateTokenResponse, ({ token, secret }: NewToken) => ({
        token: toWire(token),
        secret,
      }));
      const sealed = {
        ...call,
        encode: (answer: CreateTokenResponse) => sealer.seal(call.encode(answer)),
        decode: (bytes: Uint8Array) => call.decode(sealer.open(bytes)),
      };
      return createToken(ctx, sealed, {
        account: account === "" ? undefined : idFrom("account", account),
        roles: request.roles.map((role) => ROLES.get(role)),
        name,
        ttlMs: ttl && msOf(ttl),
      });
    },

    async listTokens(request, rpc) {
      const bound = request.account;
      const account = bound === "" ? undefined : idFrom("account", bound);
      const page = await listTokens(ctx, { ...readPage(rpc, request, bound), account });
      return {
        tokens: page.rows.map(toWire),
        nextPageToken: pageToken(rpc, bound, page),
        totalSize: BigInt(page.total),
      };
    },

    revokeToken(request, rpc) {
      const { etag } = request;
      const call = rpc.mutation(request, RevokeTokenResponse, (token: Token) => ({
        token: toWire(token),
      }));
      return revokeToken(ctx, call, { id: idFrom("token", request.id), etag });
    },
  };
}

function toWire(token: Token): WireToken {
  const { id, name, account = "", createdAt, expiresAt, revokedAt } = token;
  return {
    id,
    name,
    account,
    createdAt: new Date(createdAt),
    etag: tokenEtag(token),
    roles: token.roles.map((role) => WIRE_ROLES[role]),
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
    revokedAt: revokedAt === undefined ? undefined : new Date(revokedAt),
  };
}
