// Routers, what is behind them, and trunks.
import { callers, type Example, type ExampleScene, type Wish } from "./example-scene.ts";

const freshPort = async ({ api, blue }: ExampleScene): Promise<string> =>
  (await api.create("port", { network_id: blue.id, fixed_ips: [] }, callers.member)).id;

export function routingExamples(scene: ExampleScene): Record<string, Example> {
  const { web } = scene;
  const forwarding = (): Wish => {
    const external_port = 1000 + scene.next();
    return { protocol: "tcp", external_port, internal_port: external_port };
  };
  const range = (): Wish => {
    const first = 10_000 + 10 * scene.next();
    const both = `${first}:${first + 5}`;
    return { external_port: undefined, internal_port: undefined, external_port_range: both, internal_port_range: both };
  };
  return {
    router: { body: () => ({}), values: { external_gateway_info: null, routes: [], distributed: false } },
    floatingip: {
      body: () => ({ floating_network_id: scene.outside.id }),
      values: { subnet_id: null, port_id: null, distributed: null },
      onCreate: {
        floating_network_id: () => ({ floating_network_id: scene.outside.id }),
        floating_ip_address: () => ({ floating_ip_address: `203.0.${100 + (scene.next() >> 8)}.${scene.next() & 255}` }),
        fixed_ip_address: () => ({ fixed_ip_address: null }),
      },
      onUpdate: { fixed_ip_address: () => ({ port_id: null, fixed_ip_address: null }) },
    },
    port_forwarding: {
      body: () => ({ ...forwarding(), internal_port_id: web.id, internal_ip_address: "10.128.0.5" }),
      dependsOnProject: true,
      values: { internal_ip_address: "10.128.0.5", internal_port_id: web.id, protocol: "tcp" },
      onCreate: {
        external_port: forwarding,
        internal_port: forwarding,
        external_port_range: range,
        internal_port_range: range,
      },
      onUpdate: {
        external_port: forwarding,
        internal_port: forwarding,
        external_port_range: range,
        internal_port_range: range,
      },
    },
    conntrack_helper: {
      body: () => ({ protocol: "udp", port: 1000 + scene.next(), helper: "tftp" }),
      dependsOnProject: true,
      values: { protocol: "udp", helper: "tftp" },
      onCreate: { port: () => ({ port: 1000 + scene.next() }) },
      onUpdate: { port: () => ({ port: 1000 + scene.next() }) },
    },
    trunk: {
      body: async () => ({ port_id: await freshPort(scene) }),
      dependsOnProject: true,
      values: { sub_ports: [] },
      onCreate: { port_id: async () => ({ port_id: await freshPort(scene) }) },
    },
  };
}
