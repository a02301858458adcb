// What operators have.
import type { Example, ExampleScene, Wish } from "./example-scene.ts";

export function operatorExamples(scene: ExampleScene): Record<string, Example> {
  const bounds = (): Wish => {
    const minimum = 100_000 + 10 * scene.next();
    return { minimum, maximum: minimum + 5 };
  };
  const range = { network_type: "vxlan" };
  return {
    segment: {
      body: () => ({ network_id: scene.blue.id, network_type: "vxlan" }),
      values: { network_id: scene.blue.id, network_type: "vxlan" },
      onCreate: {
        segmentation_id: () => ({ segmentation_id: 500_000 + scene.next() }),
        physical_network: () => ({
          network_type: "vlan",
          physical_network: "phys",
          segmentation_id: 1 + (scene.next() % 4000),
        }),
      },
    },
    network_segment_range: {
      body: () => ({ ...range, shared: true, ...bounds() }),
      values: { ...range, shared: true },
      onCreate: {
        project_id: () => ({ shared: false, project_id: "blue" }),
        tenant_id: () => ({ shared: false, tenant_id: "blue" }),
        physical_network: () => ({ network_type: "vlan", physical_network: `vl${scene.next()}`, minimum: 5, maximum: 9 }),
        minimum: bounds,
        maximum: bounds,
      },
      onUpdate: { minimum: bounds, maximum: bounds },
    },
    agent: { body: () => ({}), make: () => scene.api.registerDhcpAgent(`host-${scene.next()}`) },
  };
}
