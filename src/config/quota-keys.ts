// Limits of projects that have none of their own. -1 is no limit.
import { z } from "zod";

const limit = (count: number, what: string) =>
  z.int().min(-1).max(2_147_483_647).default(count).describe(`${what}; -1: no limit`);

/** By what is counted, as `quota` of the REST API calls it, in camel case. */
export const quotaKeys = {
  network: limit(100, "Networks of a project"),
  subnet: limit(100, "Subnets of a project"),
  subnetpool: limit(-1, "Subnet pools of a project"),
  port: limit(500, "Ports of a project"),
  router: limit(10, "Routers of a project"),
  routerRoute: limit(30, "Extra routes of one router"),
  floatingip: limit(50, "Floating IPs of a project"),
  portForwarding: limit(-1, "Port forwardings of a project"),
  securityGroup: limit(10, "Security groups of a project"),
  securityGroupRule: limit(100, "Rules of all security groups of a project"),
  addressGroup: limit(-1, "Address groups of a project"),
  trunk: limit(-1, "Trunks of a project"),
  rbacPolicy: limit(10, "RBAC policies of a project"),
};

/** As the server counts: `security_group` for securityGroup. */
export function quotaDefaults(quota: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const words = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(quota).map(([key, count]) => [words(key), count]));
}
