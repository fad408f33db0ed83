// What the contract says about callers: tokens, roles, accounts, and the two listeners.
import { randomUUID } from "node:crypto";
import * as tokens from "@railyard/proto/gen/railyard/admin/v1/token";
import {
  ClusterNetworkServiceService,
  CreateClusterNetworkRequest,
  ListClusterNetworksRequest,
} from "@railyard/proto/gen/railyard/v1/cluster_network";
import { WatchObjectsRequest, WatchServiceService } from "@railyard/proto/gen/railyard/v1/watch";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../until.js";
import { type Target, target } from "./target.js";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const UNAUTHENTICATED = 16;
const { Role } = tokens;
const { createToken, listTokens, revokeToken } = tokens.TokenServiceService;
const { createClusterNetwork, listClusterNetworks } = ClusterNetworkServiceService;
const { watchObjects } = WatchServiceService;
const LIST = ListClusterNetworksRequest.fromPartial({});

let at: Target;
let account: string;
beforeAll(async () => {
  at = await target();
  ({ account } = await at.tenant());
});
afterAll(() => at.close());

const making = (over: object = {}) =>
  tokens.CreateTokenRequest.fromPartial({
    ...{ account, roles: [Role.ROLE_TENANT_VIEWER], ...over },
  });
const revoking = (id: string) => tokens.RevokeTokenRequest.fromPartial({ id });

test("a token acts in its account until it is revoked", async () => {
  const { token, secret } = await at.admin.call(createToken, making({ name: "ci" }));
  expect(token).toMatchObject({ account, name: "ci", roles: [Role.ROLE_TENANT_VIEWER] });
  const wire = at.stranger("server", secret);
  await wire.call(listClusterNetworks, LIST);
  const { token: revoked } = await at.admin.call(revokeToken, revoking(token!.id));
  expect(revoked?.revokedAt).toBeInstanceOf(Date);
  const refused = await wire.refused(listClusterNetworks, LIST);
  expect(refused.code).toBe(UNAUTHENTICATED);
  expect(["TOKEN_REVOKED", "UNAUTHENTICATED"]).toContain(refused.reason);
});

test("a stream ends when its token is revoked", async () => {
  const tenant = await at.tenant();
  const one = await at.admin.call(createToken, making({ account: tenant.account }));
  const wire = at.stranger("server", one.secret);
  const watch = wire.stream(watchObjects, WatchObjectsRequest.fromPartial({ fromRevision: 0n }));
  await tenant.network();
  await until("the network is told", () => watch.messages.length > 0);
  await at.admin.call(revokeToken, revoking(one.token!.id));
  expect(await watch.ended).toMatchObject({ code: UNAUTHENTICATED });
});

test("a token's name may be another's too, and only its own end ends it", async () => {
  const [old, next] = [
    await at.admin.call(createToken, making({ name: "rotated" })),
    await at.admin.call(createToken, making({ name: "rotated" })),
  ];
  expect(next.token?.name).toBe("rotated");
  expect(next.token?.id).not.toBe(old.token?.id);
  await at.admin.call(revokeToken, revoking(old.token!.id));
  const [oldWire, nextWire] = [old, next].map(({ secret }) => at.stranger("server", secret));
  expect((await oldWire!.refused(listClusterNetworks, LIST)).code).toBe(UNAUTHENTICATED);
  await nextWire!.call(listClusterNetworks, LIST);
  await at.admin.call(revokeToken, revoking(next.token!.id));
});

test("a token's name is well formed, not the provider's, random when none is given", async () => {
  for (const name of ["Ci", "-ci", "12", "a".repeat(64), "ibm-ci", "railyard-ci"]) {
    const refused = await at.admin.refused(createToken, making({ name, roles: [] }));
    expect([refused.code, refused.fields], name).toEqual([INVALID_ARGUMENT, ["name", "roles"]]);
  }
  const kept = await at.admin.refused(createToken, making({ name: "ibm-ci" }));
  expect(kept.reason).toBe("NAME_RESERVED");
  const { token } = await at.admin.call(createToken, making());
  expect(token?.name).toMatch(/^[a-z]+(-[a-z]+){3}$/);
  await at.admin.call(revokeToken, revoking(token!.id));
});

test("a secret is shown once: lists show tokens without it", async () => {
  const { token, secret } = await at.admin.call(createToken, making());
  const request = tokens.ListTokensRequest.fromPartial({ account, pageSize: 100 });
  const before = at.admin.received.length;
  const { tokens: rows } = await at.admin.call(listTokens, request);
  expect(rows.map(({ id }) => id)).toContain(token!.id);
  const heard = Buffer.concat(at.admin.received.slice(before)).toString("latin1");
  expect(heard).not.toContain(secret);
  await at.admin.call(revokeToken, revoking(token!.id));
});

test("the same request id answers with the same secret", async () => {
  const request = making({ requestId: randomUUID() });
  const first = await at.admin.call(createToken, request);
  expect(await at.admin.call(createToken, request)).toEqual(first);
  await at.admin.call(revokeToken, revoking(first.token!.id));
});

test("a viewer reads and does not write, an editor does", async () => {
  const viewer = await at.caller(account, Role.ROLE_TENANT_VIEWER);
  await viewer.call(listClusterNetworks, LIST);
  const request = CreateClusterNetworkRequest.fromPartial({ validateOnly: true });
  const refused = await viewer.refused(createClusterNetwork, request);
  expect([refused.code, refused.reason]).toEqual([PERMISSION_DENIED, "FORBIDDEN"]);
  const editor = await at.caller(account, Role.ROLE_TENANT_EDITOR);
  const answer = await editor.refused(createClusterNetwork, request);
  expect(answer.code).toBe(INVALID_ARGUMENT);
});

test("tenants' roles need an account and operators' roles have none", async () => {
  const without = await at.admin.refused(createToken, making({ account: "" }));
  expect([without.code, ...without.fields]).toEqual([INVALID_ARGUMENT, "account"]);
  const roles = [Role.ROLE_OPERATOR];
  const withOne = await at.admin.refused(createToken, making({ roles }));
  expect([withOne.code, ...withOne.fields]).toEqual([INVALID_ARGUMENT, "account"]);
  const none = await at.admin.refused(createToken, making({ roles: [] }));
  expect([none.code, ...none.fields]).toEqual([INVALID_ARGUMENT, "roles"]);
});

test("a tenant's token opens nothing at the admin listener", async () => {
  const { secret, token } = await at.admin.call(
    createToken,
    making({ roles: [Role.ROLE_TENANT_ADMIN] }),
  );
  const request = tokens.ListTokensRequest.fromPartial({});
  const refused = await at.stranger("admin", secret).refused(listTokens, request);
  expect(refused.code).toBe(PERMISSION_DENIED);
  const elsewhere = await at.stranger("server", secret).refused(listTokens, request);
  expect(elsewhere.code).toBe(UNIMPLEMENTED);
  await at.admin.call(revokeToken, revoking(token!.id));
});

test("without a token and with a wrong one nothing is answered", async () => {
  for (const secret of [undefined, "ry_wrong"]) {
    const refused = await at.stranger("server", secret).refused(listClusterNetworks, LIST);
    expect([refused.code, refused.reason]).toEqual([UNAUTHENTICATED, "UNAUTHENTICATED"]);
  }
});

test("a token that is not there is not found", async () => {
  const refused = await at.admin.refused(revokeToken, revoking("tok-nothing"));
  expect(refused.code).toBe(NOT_FOUND);
});
