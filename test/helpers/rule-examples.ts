// Rules of who may do what, of what ports may send, and of how fast.
import { randomUUID } from "node:crypto";
import { callers, type Example, type ExampleScene, type Wish } from "./example-scene.ts";

export function ruleExamples(scene: ExampleScene): Record<string, Example> {
  const { group } = scene;
  const rule = (): Wish => {
    const port = 1 + scene.next();
    return { direction: "ingress", protocol: "tcp", port_range_min: port, port_range_max: port };
  };
  const ruleValues = {
    direction: "ingress",
    ethertype: "IPv4",
    protocol: "tcp",
    remote_group_id: null,
    remote_ip_prefix: "10.9.0.0/16",
    used_in_default_sg: true,
    used_in_non_default_sg: true,
  };
  const ports = { port_range_min: rule, port_range_max: rule };
  return {
    security_group: { body: () => ({ name: `group ${scene.next()}` }), values: { stateful: false } },
    security_group_rule: {
      body: () => ({ ...rule(), security_group_id: group.id }),
      dependsOnProject: true,
      values: { ...ruleValues, security_group_id: group.id },
      onCreate: ports,
    },
    default_security_group_rule: { body: rule, values: ruleValues, onCreate: ports },
    security_groups_default_statefulness: {
      body: () => ({ project_id: `project-${scene.next()}` }),
      dependsOnProject: true,
      values: { stateful: false },
    },
    address_group: { body: () => ({ name: "g" }), values: { addresses: ["192.0.2.0/24"] } },
    address_scope: { body: () => ({ ip_version: 4 }), values: { ip_version: 4 } },
    policy: { body: () => ({ name: "slow" }) },
    binding: { body: () => ({ host: `host-${scene.next()}` }), dependsOnProject: true },
    rbac_policy: {
      body: () => ({
        object_type: "network",
        object_id: scene.blue.id,
        action: "access_as_shared",
        target_project: randomUUID(),
      }),
      dependsOnProject: true,
      values: { object_type: "network", object_id: scene.blue.id, action: "access_as_shared" },
      onCreate: {
        target_tenant: () => ({ target_project: undefined, target_tenant: randomUUID() }),
        target_project: () => ({ target_project: randomUUID() }),
      },
      onUpdate: {
        target_tenant: () => ({ target_tenant: randomUUID() }),
        target_project: () => ({ target_project: randomUUID() }),
      },
    },
    ...qosRules(scene),
  };
}

/** Of each type, below their policy and by their own ids. */
function qosRules(scene: ExampleScene): Record<string, Example> {
  const values = {
    max_kbps: 100,
    max_burst_kbps: 10,
    min_kbps: 100,
    max_kpps: 10,
    max_burst_kpps: 1,
    min_kpps: 10,
    dscp_mark: 10,
  };
  const least = {
    bandwidth_limit: "max_kbps",
    minimum_bandwidth: "min_kbps",
    packet_rate_limit: "max_kpps",
    minimum_packet_rate: "min_kpps",
    dscp_marking: "dscp_mark",
  };
  const ruleOf = (type: string, attribute: string): readonly (readonly [string, Example])[] => {
    const body = (): Wish => ({ [attribute]: 10 });
    const path = `qos/policies/${scene.parents["policies"]}/${type}_rules`;
    const make = async (): Promise<string> => (await scene.api.create(`${type}_rule`, body(), callers.member, path)).id;
    const name = `${type}_rule`;
    return [
      [name, { body, values, dependsOnProject: true }],
      [`alias_${name}`, { body, values, make }],
    ];
  };
  return Object.fromEntries(Object.entries(least).flatMap(([type, attribute]) => ruleOf(type, attribute)));
}
