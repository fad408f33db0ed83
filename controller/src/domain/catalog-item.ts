// What other services own and Railyard only knows: images, keys, VPCs, VPC subnets, volumes. Types
// only.
import type { AccountId } from "@railyard/lib/ids";

/** `account` is undefined for items that every account may use. */
export type CatalogItem = { readonly account: AccountId | undefined; readonly name: string } & (
  | {
      readonly kind: "image";
      readonly id: string;
      readonly path: string;
      readonly sha256: string;
      readonly sizeBytes: number;
    }
  | { readonly kind: "key"; readonly id: string; readonly publicKey: string }
  | { readonly kind: "vpc"; readonly id: string }
  | {
      readonly kind: "vpcSubnet";
      readonly id: string;
      readonly vpcId: string;
      readonly zone: string;
    }
  | {
      readonly kind: "volume";
      readonly id: string;
      readonly zone: string;
      readonly capacityGib: number;
    }
);

export type CatalogKind = CatalogItem["kind"];
