/** Who has QoS policies: tables with a column `qos_policy_id`, and what the API calls one of their objects. */
export const qosHolders = { networks: "network", ports: "port", floating_ips: "floatingip", routers: "router" } as const;
