// Reads of reserved IPs that show what users hold and what the provider keeps as one: the store has
// the users' only. Knows no request.
import type { ReservedIpId, SubnetId } from "@railyard/lib/ids";
import { providerIps, type ReservedIp, subnetOfProviderIp } from "../domain/reserved-ip.js";
import type { Subnet } from "../domain/subnet.js";
import type {
  AccountReads,
  ListOrder,
  ListQuery,
  Page,
  PageKey,
  ReservedIpFilter,
} from "../store/contract.js";

/** The account's reserved IP of this id, whoever owns it. */
export async function anyReservedIp(
  mine: AccountReads,
  id: ReservedIpId,
): Promise<ReservedIp | undefined> {
  const subnetId = subnetOfProviderIp(id);
  if (!subnetId) return mine.reservedIps.get(id);
  const subnet = await mine.subnets.get(subnetId);
  return subnet && providerIps(subnet).find((ip) => ip.id === id);
}

/** The reserved IP that holds an address of the subnet, whoever owns it. */
export async function holderOf(
  mine: AccountReads,
  subnet: Subnet,
  address: number,
): Promise<ReservedIp | undefined> {
  const kept = providerIps(subnet).find((ip) => ip.address === address);
  return kept ?? mine.reservedIps.byAddress(subnet.id, address);
}

/** A page of all reserved IPs of a subnet, in one order. */
export async function pageOfAll(
  mine: AccountReads,
  subnet: Subnet,
  query: ListQuery<Omit<ReservedIpFilter, "subnetId">>,
): Promise<Page<ReservedIp>> {
  const { name, address } = query.filter;
  const { after, limit, order = "created_at desc" } = query;
  const subnetId: SubnetId = subnet.id;
  const users = await mine.reservedIps.list({ ...query, filter: { ...query.filter, subnetId } });
  const kept = providerIps(subnet).filter(
    (ip) => (name ?? ip.name) === ip.name && (address ?? ip.address) === ip.address,
  );
  const compare = COMPARE[order];
  const rest = after ? kept.filter((ip) => compare(ip, after) > 0) : kept;
  const rows = [...users.rows, ...rest].sort(compare);
  return {
    rows: rows.slice(0, limit),
    total: users.total + kept.length,
    more: users.more || rows.length > limit,
  };
}

type Compare = (a: PageKey, b: PageKey) => number;

/** The orders of the store's lists. */
const COMPARE: Readonly<Record<ListOrder, Compare>> = {
  "created_at desc": (a, b) => b.createdAt - a.createdAt || byName(a, b),
  created_at: (a, b) => a.createdAt - b.createdAt || byName(a, b),
  name: byName,
  "name desc": (a, b) => text(b.name, a.name) || text(a.id, b.id),
};

function byName(a: PageKey, b: PageKey): number {
  return text(a.name, b.name) || text(a.id, b.id);
}

function text(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
