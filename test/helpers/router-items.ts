// Routers as values for tests: a gateway on an external network, interfaces on tenants' networks.
import { networkId, portId, routerId, subnetId } from "../../src/model/ids.ts";
import type { Router, RouterAddress, RouterGateway, RouterInterface } from "../../src/model/router.ts";
import { randomId, randomMac } from "./namespaces.ts";

export function makeAddress(ipAddress: string, cidr: string, values: Partial<RouterAddress> = {}): RouterAddress {
  return {
    ...{ ipAddress, cidr, subnetId: subnetId(randomId()), prefixLength: Number(cidr.split("/")[1]) },
    ...{ ipVersion: cidr.includes(":") ? 6 : 4, gatewayIp: ipAddress, enableDhcp: true, ipv6RaMode: null },
    ...{ ipv6AddressMode: null, dnsNameservers: [], addressScopeId: null },
    ...values,
  };
}

export function makeInterface(addresses: readonly RouterAddress[], values: Partial<RouterInterface> = {}): RouterInterface {
  return {
    ...{ portId: portId(randomId()), macAddress: randomMac(), networkId: networkId(randomId()), mtuBytes: 1450 },
    carrier: { networkType: "local", physicalNetwork: null, segmentationId: null },
    adminStateUp: true,
    addresses,
    ...values,
  };
}

export function makeGateway(addresses: readonly RouterAddress[], values: Partial<RouterGateway> = {}): RouterGateway {
  const carrier = { networkType: "flat", physicalNetwork: "public", segmentationId: null } as const;
  return { ...makeInterface(addresses, { mtuBytes: 1500 }), carrier, extraSubnets: [], ...values };
}

export function makeRouter(values: Partial<Router> = {}): Router {
  return {
    ...{ id: routerId(randomId()), projectId: "p1", name: "r", adminStateUp: true, enableSnat: true, distributed: false },
    ...{ isHa: false, ha: null, interfaces: [], gateway: null, routes: [], revision: 1 },
    ...values,
  };
}
