// Every error that the REST API may answer with: type name → HTTP status. The names are those of the Networking v2.0 API,
// because clients branch on them. A new rule adds its name here and throws an ApiFault.

export const faultStatus = {
  HTTPBadRequest: 400,
  BadRequest: 400,
  InvalidInput: 400,
  MalformedRequestBody: 400,
  InvalidIpForNetwork: 400,
  InvalidIpForSubnet: 400,
  InvalidAllocationPool: 400,
  OutOfBoundsAllocationPool: 400,
  DNSNameServersExhausted: 400,
  HostRoutesExhausted: 400,
  AllocationOnAutoAddressSubnet: 400,
  InvalidCIDR: 400,
  TenantIdProjectIdFilterConflict: 400,
  AllowedAddressPairExhausted: 400,
  DuplicateAddressPairInRequest: 400,
  InvalidRoutes: 400,
  RoutesExhausted: 400,
  SubnetMismatchForPort: 400,
  PortHasPortForwarding: 400,
  HTTPForbidden: 403,
  NotAuthorized: 403,
  PolicyNotAuthorized: 403,
  HTTPNotFound: 404,
  NetworkNotFound: 404,
  SubnetNotFound: 404,
  PortNotFound: 404,
  AgentNotFound: 404,
  LeaseNotFound: 404,
  RouterNotFound: 404,
  RouterInterfaceNotFound: 404,
  RouterInterfaceNotFoundForSubnet: 404,
  FloatingIPNotFound: 404,
  ExternalGatewayForFloatingIPNotFound: 404,
  PortForwardingNotFound: 404,
  AvailabilityZoneNotFound: 404,
  AddressScopeNotFound: 404,
  TagNotFound: 404,
  TagResourceNotFound: 404,
  InvalidDHCPAgent: 404,
  InvalidL3Agent: 404,
  ExtensionsNotFound: 404,
  HTTPMethodNotAllowed: 405,
  HTTPConflict: 409,
  NetworkInUse: 409,
  FlatNetworkInUse: 409,
  VlanIdInUse: 409,
  TunnelIdInUse: 409,
  ExternalNetworkInUse: 409,
  AddressPairAndPortSecurityRequired: 409,
  SubnetInUse: 409,
  PortInUse: 409,
  ServicePortInUse: 409,
  MacAddressInUse: 409,
  IpAddressInUse: 409,
  IpAddressAlreadyAllocated: 409,
  IpAddressGenerationFailure: 409,
  IpAddressGenerationFailureNoMatchingSubnet: 409,
  InvalidSharedSetting: 409,
  OverlappingAllocationPools: 409,
  GatewayConflictWithAllocationPools: 409,
  GatewayIpInUse: 409,
  NetworkMTUSubnetConflict: 409,
  UnsupportedPortDeviceOwner: 409,
  NetworkHostedByDHCPAgent: 409,
  NetworkNotHostedByDhcpAgent: 409,
  OverQuota: 409,
  RouterInUse: 409,
  RouterInterfaceInUseByFloatingIP: 409,
  RouterInterfaceInUseByRoute: 409,
  RouterExternalGatewayInUseByFloatingIp: 409,
  FloatingIPPortAlreadyAssociated: 409,
  FipAssociated: 409,
  FipInUseByPortForwarding: 409,
  PortHasBindingFloatingIP: 409,
  DeviceIDNotOwnedByTenant: 409,
  RouterHostedByL3Agent: 409,
  RouterNotHostedByL3Agent: 409,
  RouterL3AgentMismatch: 409,
  RouterSchedulingFailed: 409,
  NoVRIDAvailable: 409,
  RevisionNumberConstraintFailed: 412,
  HTTPRequestEntityTooLarge: 413,
  HTTPUnsupportedMediaType: 415,
  HTTPInternalServerError: 500,
  ServiceUnavailable: 503,
  NetworkMacAddressGenerationFailure: 503,
  InsufficientStorage: 507,
} as const satisfies Readonly<Record<string, number>>;

export type FaultType = keyof typeof faultStatus;

/** An answer of the API that is not a success. `message` is for people and names the thing and the wish. */
export class ApiFault extends Error {
  readonly type: FaultType;
  /** Of IpAddressGenerationFailure: the subnets on which no address is free. */
  readonly subnetIds: readonly string[];

  constructor(type: FaultType, message: string, cause?: unknown, subnetIds: readonly string[] = []) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ApiFault";
    this.type = type;
    this.subnetIds = subnetIds;
  }

  get status(): number {
    return faultStatus[this.type];
  }
}
