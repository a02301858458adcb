// Routers of one running netloom, each with an instance behind it that has all addresses of its network and so answers for every
// floating IP that leads there; and the end of all that, with what is left on the host.
import { readdir } from "node:fs/promises";
import path from "node:path";
import type { FloatingSite } from "./floating-site.ts";
import { findProcessesOf } from "./instance.ts";
import { createNamespace, deleteNamespace, deviceNames, sh } from "./namespaces.ts";
import type { Json } from "./rest-client.ts";
import { waitFor } from "./wait-for.ts";

export interface Target {
  readonly portId: string;
  readonly address: string;
}

export interface ChurnRouter {
  readonly index: number;
  readonly id: string;
  readonly networkId: string;
  readonly subnetId: string;
  readonly isHa: boolean;
  /** Of the router. */
  readonly namespace: string;
  /** Of the instance. */
  readonly guest: string;
  /** Where a floating IP leads that nobody touches. */
  readonly watched: Target;
  readonly targets: readonly Target[];
  /** Of port forwardings. */
  readonly forwardTarget: Target;
}

const targetsOfRouter = 4;

export async function createChurnRouter(site: FloatingSite, index: number, isHa: boolean): Promise<ChurnRouter> {
  const { client, up, externalId } = site;
  const network = await client.create("network", { name: `churn-${index}` });
  const cidr = `10.50.${index}.0/24`;
  const subnet = await client.create("subnet", { network_id: network.id, ip_version: 4, cidr, enable_dhcp: false });
  const way = { external_gateway_info: { network_id: externalId }, ...(isHa ? { ha: true } : {}) };
  const router = await client.create("router", { name: `churn-${index}`, ...way });
  await join(site, router.id, subnet.id, "add");
  const ports: Target[] = [];
  for (let count = 0; count < targetsOfRouter + 2; count += 1) {
    const port = await client.create("port", { network_id: network.id });
    // The cast: the API's documented form.
    const [fixed] = port["fixed_ips"] as readonly { readonly ip_address: string }[];
    ports.push({ portId: port.id, address: fixed?.ip_address ?? "" });
  }
  const [watched, forwardTarget, ...targets] = ports;
  if (watched === undefined || forwardTarget === undefined) throw new Error("too few ports");
  const namespace = `${up.prefix}qrouter-${router.id}`;
  const guest = `${up.prefix}i${index}`;
  const ids = { index, id: router.id, networkId: network.id, subnetId: subnet.id };
  return { ...ids, isHa, namespace, guest, watched, targets, forwardTarget };
}

/** The instance: in the network's bridge without being a port of the API, with the addresses of all of its ports. */
export async function plugGuest({ guest, networkId, watched, forwardTarget, targets }: ChurnRouter): Promise<void> {
  await createNamespace(guest);
  const bridge = `brq${networkId.slice(0, 11)}`;
  const wire = async (): Promise<true> => {
    await sh("ip", "link", "add", guest, "master", bridge, "up", "type", "veth", "peer", "name", "eth0", "netns", guest);
    return true;
  };
  await waitFor(wire, { limitMs: 20_000, what: `bridge ${bridge}`, everyMs: 100 });
  await sh("ip", "-n", guest, "link", "set", "eth0", "up");
  const all = [watched, forwardTarget, ...targets];
  for (const { address } of all) await sh("ip", "-n", guest, "addr", "add", `${address}/24`, "dev", "eth0");
  const gateway = watched.address.replace(/\.\d+$/, ".1");
  await sh("ip", "-n", guest, "route", "add", "default", "via", gateway);
}

/** A bridge with a device of others in it would stay, and rightly. */
export async function unplugGuest({ guest }: ChurnRouter): Promise<void> {
  await sh("ip", "link", "del", guest).catch(() => "");
  await deleteNamespace(guest);
}

/** The router and its network, by the API. */
export async function removeChurnRouter(site: FloatingSite, router: ChurnRouter): Promise<void> {
  const { client } = site;
  await join(site, router.id, router.subnetId, "remove");
  await client.remove("router", router.id);
  const ports = [router.watched, router.forwardTarget, ...router.targets];
  for (const { portId } of ports) await client.remove("port", portId);
  await client.remove("network", router.networkId);
}

async function join({ client }: FloatingSite, routerId: string, subnetId: string, verb: "add" | "remove"): Promise<void> {
  const body: Json = { subnet_id: subnetId };
  const answer = await client.request("PUT", `/v2.0/routers/${routerId}/${verb}_router_interface`, body);
  if (answer.status !== 200) throw new Error(`${verb}_router_interface: ${answer.status} ${JSON.stringify(answer.body)}`);
}

/**
 * Of all routers of the host, whatever made it: namespaces, devices, files, and daemons that only routers have.
 *
 * @param ids of the networks and ports that there were
 */
export async function findRouterLeftOvers({ up }: FloatingSite, ids: readonly string[]): Promise<readonly string[]> {
  const namespaces = await readdir("/run/netns");
  const parts = ids.map((id) => id.slice(0, 11));
  const devices = [...(await deviceNames())].filter((name) => parts.some((part) => name.includes(part)));
  const files = await Promise.all(
    ["routers", "ready", "ha", "ha-state", "radvd"].map(async (folder) => {
      const names = await readdir(path.join(up.stateDir, "l3", folder)).catch(() => []);
      return names.map((name) => `l3/${folder}/${name}`);
    }),
  );
  const daemons = await Promise.all(["keepalived", "radvd"].map((program) => findProcessesOf(up.stateDir, program)));
  return [
    ...namespaces.filter((name) => name.startsWith(`${up.prefix}qrouter-`)),
    ...devices,
    ...files.flat(),
    ...daemons.flat().map((pid) => `daemon ${pid}`),
  ];
}
