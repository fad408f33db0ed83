// Quotas: what one account may have at most. Subjects, defaults and nothing else.

export type QuotaSubject =
  | "cluster-networks"
  | "subnets-per-network"
  | "reserved-ips"
  | "instances"
  | "holds";

/** Defaults per account (subnets: per network). */
export const DEFAULT_QUOTAS: Readonly<Record<QuotaSubject, number>> = {
  "cluster-networks": 5,
  "subnets-per-network": 32,
  "reserved-ips": 5_000,
  instances: 64,
  holds: 100,
};
