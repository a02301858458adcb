// Attributes of routers that tell of what they have beside ports, and those that would have no effect.
import type { AttributeDeclaration } from "./declaration.ts";
import { access } from "./standard-attributes.ts";
import { readOnly } from "./values.ts";
import { alwaysFalse, alwaysNull } from "./without-effect.ts";

const objects = readOnly({ type: "array", items: { type: "object" } });

export const routerExtras: Readonly<Record<string, AttributeDeclaration>> = {
  external_gateways: {
    ...access.computed,
    schema: objects,
    alias: "external-gateway-multihoming",
    description: "Its gateway as a list: none or one.",
  },
  conntrack_helpers: {
    ...access.computed,
    schema: objects,
    alias: "expose-l3-conntrack-helper",
    description: "Its conntrack helpers in short; kept and not applied.",
  },
  flavor_id: alwaysNull({ alias: "l3-flavors", lacking: "flavors of routers", put: false, sort: true }),
  service_type_id: alwaysNull({ alias: "router-service-type", lacking: "service types of routers", put: false }),
  enable_default_route_ecmp: alwaysFalse({ alias: "enable-default-route-ecmp", lacking: "routers with several gateways" }),
  enable_default_route_bfd: alwaysFalse({ alias: "enable-default-route-bfd", lacking: "detection of dead gateways" }),
  enable_ndp_proxy: alwaysFalse({ alias: "l3-ext-ndp-proxy", lacking: "NDP proxy", filter: "boolean" }),
  evpn_vni: alwaysNull({ alias: "evpn", lacking: "EVPN", put: false, filter: "integer", sort: true }),
};
