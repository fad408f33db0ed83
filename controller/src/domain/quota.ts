// Quotas: what one account may have at most. Subjects, defaults and nothing else.

export const QUOTA_SUBJECTS = [
  "cluster-networks",
  "subnets-per-network",
  "reserved-ips",
  "instances",
  "holds",
] as const;
export type QuotaSubject = (typeof QUOTA_SUBJECTS)[number];

/** Defaults per account (subnets: per network). */
export const DEFAULT_QUOTAS: Readonly<Record<QuotaSubject, number>> = {
  "cluster-networks": 5,
  "subnets-per-network": 32,
  "reserved-ips": 5_000,
  instances: 64,
  holds: 100,
};
