// Whether and how a DHCP port carries the metadata address of its network.
import type { SubnetId } from "./ids.ts";

export interface MetadataOptions {
  /** Serve subnets that no router serves. */
  readonly isolated: boolean;
  /** Serve every network with a DHCP subnet. */
  readonly force: boolean;
  /** Serve routers over a network inside 169.254.0.0/16. */
  readonly metadataNetwork: boolean;
}

export interface MetadataPlan {
  /** 169.254.169.254 on the DHCP port. */
  readonly v4: boolean;
  /** fe80::a9fe:a9fe on the DHCP port. */
  readonly v6: boolean;
  /** IPv4 subnets whose instances are told by DHCP to reach 169.254.169.254 through the DHCP port. */
  readonly routedSubnetIds: ReadonlySet<SubnetId>;
  /** Set on a metadata network with a router: whose instances are answered. */
  readonly routerId?: string | undefined;
}

export const noMetadata: MetadataPlan = { v4: false, v6: false, routedSubnetIds: new Set() };
