// The OpenStack format: JSON files below a dated version. Pure but for the random seed.
import { randomBytes } from "node:crypto";
import type { Instance } from "../instance.ts";
import { firstPort, type HostFacts, namesOf } from "./facts.ts";
import { networkData } from "./network-data.ts";
import type { Folder } from "./tree.ts";

export const openstackVersions: readonly string[] = [
  "2012-08-10",
  "2013-04-04",
  "2013-10-17",
  "2015-10-15",
  "2016-06-30",
  "2016-10-06",
  "2017-02-22",
  "2018-08-27",
  "latest",
];

const seedBytes = 512;

/** Files came with versions: a reader of an old one is not shown what it does not know. */
export function openstackFolder(version: string, instance: Instance, facts: HostFacts): Folder {
  const has = (since: string): boolean => version === "latest" || version >= since;
  return {
    "meta_data.json": () => JSON.stringify(metaData(instance, facts, has("2013-10-17"))),
    ...(has("2013-10-17") ? { "vendor_data.json": () => "{}" } : {}),
    ...(has("2015-10-15") ? { "network_data.json": () => JSON.stringify(networkData(instance)) } : {}),
    ...(has("2016-10-06") ? { "vendor_data2.json": () => "{}" } : {}),
  };
}

function metaData(instance: Instance, facts: HostFacts, hasSeed: boolean): unknown {
  const { hostname, fqdn } = namesOf(firstPort(instance), facts);
  return {
    uuid: instance.id,
    name: hostname,
    hostname: fqdn,
    launch_index: 0,
    availability_zone: facts.availabilityZone,
    project_id: instance.projectId,
    meta: {},
    devices: [],
    ...(hasSeed ? { random_seed: randomBytes(seedBytes).toString("base64") } : {}),
  };
}
