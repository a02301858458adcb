// A router of high availability on one host: its devices are everywhere the same, and so are the rules; addresses, routes and
// advertisements are the primary's alone, and whoever elects the primary moves them. Pure.
import { addressOnLink } from "../../model/addresses.ts";
import { bridgeName, haDeviceName, tapName } from "../../model/device-names.ts";
import type { Router, RouterHa } from "../../model/router.ts";
import type { HaState } from "../l3-layout.ts";
import { type HaPlan, type HaSetting, virtualAddress } from "../router-ha.ts";
import type { PortSpec, RouterSpec } from "./router-spec.ts";

/** The router's spec as it is on a host in this state. */
export function specInState(
  spec: RouterSpec,
  { router, ha, state, hasIpv6 }: HaPart & { readonly state: HaState; readonly hasIpv6: boolean },
): RouterSpec {
  const elected = spec.ports.map(electedPort);
  const isPrimary = state === "primary";
  const ports = isPrimary ? elected : elected.map((port) => ({ ...port, addresses: [] }));
  return {
    ...spec,
    ports: [...ports, haPort(spec, ha)],
    gateway: ports.find(({ isGateway }) => isGateway),
    routes: isPrimary ? spec.routes : [],
    advertisements: isPrimary ? spec.advertisements : undefined,
    ha: { plan: planOf({ spec, elected, ha, hasIpv6, router }), state },
  };
}

interface HaPart {
  readonly router: Router;
  readonly ha: RouterHa;
}

/** The kernel makes it no address of its own: it would speak with it, from a host that the neighbours must not learn of. */
function electedPort(port: PortSpec): PortSpec {
  const hasIpv6 = port.addresses.some((address) => address.includes(":"));
  const own = hasIpv6 || port.acceptRa !== 0 ? [`${addressOnLink(port.macAddress)}/64`] : [];
  return { ...port, addresses: [...port.addresses, ...own], isElected: true };
}

function haPort({ namespace }: RouterSpec, { port, vrId }: RouterHa): PortSpec {
  const { portId, networkId, macAddress, mtuBytes } = port;
  return {
    ...{ portId, networkId, namespace, macAddress, mtuBytes },
    device: haDeviceName(portId),
    tap: tapName(portId),
    bridge: bridgeName(networkId),
    isForeignBridge: false,
    addresses: port.addresses.map(({ ipAddress, prefixLength }) => `${ipAddress}/${prefixLength}`),
    foreignAddress: `${virtualAddress(vrId)}/24`,
    isGateway: false,
    acceptRa: 0,
  };
}

interface PlanParts extends HaPart {
  readonly spec: RouterSpec;
  readonly elected: readonly PortSpec[];
  readonly hasIpv6: boolean;
}

function planOf({ spec, elected, ha, hasIpv6, router }: PlanParts): HaPlan {
  const gateway = elected.find(({ isGateway }) => isGateway);
  return {
    routerId: router.id,
    namespace: spec.namespace,
    device: haDeviceName(ha.port.portId),
    vrId: ha.vrId,
    priority: ha.priority,
    addresses: elected.flatMap(({ device, macAddress, addresses }) =>
      [...new Set(addresses)].map((cidr) => ({ device, macAddress, cidr })),
    ),
    routes: spec.routes,
    settings: [
      ...(gateway === undefined ? [] : gatewaySettings(gateway)),
      ...(hasIpv6 ? [{ name: "net/ipv6/conf/all/forwarding", primary: 1, backup: 0 }] : []),
    ],
    announcer: gateway === undefined ? undefined : { device: gateway.device, macAddress: gateway.macAddress },
  };
}

/** Floating IPs are local routes on every host of the router; only the primary answers for them. */
function gatewaySettings({ device, acceptRa }: PortSpec): readonly HaSetting[] {
  const answers = { name: `net/ipv4/conf/${device}/arp_ignore`, primary: 0, backup: answersNobody };
  return acceptRa === 0 ? [answers] : [answers, { name: `net/ipv6/conf/${device}/accept_ra`, primary: acceptRa, backup: 0 }];
}

/** On the gateway's device in every state; no number of a router makes the same address. */
export const anchorCidr = "169.254.0.255/32";

/** Of arp_ignore. */
export const answersNobody = 8;
