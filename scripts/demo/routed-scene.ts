// The second part of the demo: a second network, a router between both and to the outside, and a floating IP.
import type { ApiObject, DemoApi } from "./api.ts";
import { waitFor } from "./api.ts";
import { addNamespace, askForLease, readDevice } from "./instance.ts";
import { netloom } from "./netloom.ts";
import { type Outside, outsideAddress, outsideCidr } from "./outside.ts";
import { firstPing, read } from "./probes.ts";
import type { Moment } from "./timeline.ts";

export interface RoutedStage {
  readonly api: DemoApi;
  readonly url: string;
  readonly stateDir: string;
  readonly directory: string;
  readonly outside: Outside;
  /** Of the instance that the first part plugged, and of the one that this part adds. */
  readonly namespaces: { readonly first: string; readonly second: string };
  readonly subnet: ApiObject;
  readonly port: ApiObject;
}

export interface RoutedScene {
  readonly moments: readonly Moment[];
  readonly startMs: number;
  readonly floatingIp: string;
}

const now = (): number => performance.timeOrigin + performance.now();

async function addExternalNetwork(api: DemoApi, physicalNetwork: string): Promise<ApiObject> {
  const network = await api.create("network", {
    name: "outside",
    "router:external": true,
    "provider:network_type": "flat",
    "provider:physical_network": physicalNetwork,
  });
  await api.create("subnet", {
    network_id: network.id,
    name: "outside-v4",
    ip_version: 4,
    cidr: outsideCidr,
    gateway_ip: outsideAddress,
    enable_dhcp: false,
  });
  return network;
}

/** A second network with an instance that has its lease. */
async function addSecondNetwork({ api, url, stateDir, directory, namespaces }: RoutedStage) {
  const network = await api.create("network", { name: "demo-2", mtu: 1450 });
  const subnet = await api.create("subnet", { network_id: network.id, name: "demo-2-v4", ip_version: 4, cidr: "10.43.0.0/24" });
  const port = await api.create("port", { name: "db", network_id: network.id });
  await waitFor("the second port ACTIVE", 20_000, async () => {
    return (await api.show("port", port.id))["status"] === "ACTIVE" ? true : undefined;
  });
  const namespace = namespaces.second;
  await addNamespace(namespace);
  await netloom(["port", "plug", port.id, "--netns", namespace, "--url", url, "--state-dir", stateDir]);
  const client = await askForLease({ namespace, device: await readDevice(namespace), directory });
  return { subnet, client };
}

function externalAddress(router: ApiObject): string {
  const info = router["external_gateway_info"] as { readonly external_fixed_ips: readonly { readonly ip_address: string }[] };
  return info.external_fixed_ips[0]?.ip_address ?? "(none)";
}

async function askMetadata(stage: RoutedStage): Promise<Moment> {
  const { first } = stage.namespaces;
  const text = await waitFor("an answer of the metadata service", 10_000, () =>
    read(first, "http://169.254.169.254/openstack/latest/network_data.json").catch(() => undefined),
  );
  const { links } = JSON.parse(text) as { readonly links: readonly { readonly ethernet_mac_address: string }[] };
  const mac = links[0]?.ethernet_mac_address;
  if (mac !== stage.port["mac_address"])
    throw new Error(`metadata tells MAC address ${mac}, the API ${String(stage.port["mac_address"])}`);
  return { what: "metadata: 169.254.169.254 tells the instance its own port", atMs: now() };
}

export async function playRouted(stage: RoutedStage, physicalNetwork: string): Promise<RoutedScene> {
  const { api, namespaces, outside, subnet, port } = stage;
  const external = await addExternalNetwork(api, physicalNetwork);
  const second = await addSecondNetwork(stage);

  const startMs = now();
  const router = await api.create("router", { name: "edge", external_gateway_info: { network_id: external.id } });
  for (const { id } of [subnet, second.subnet]) await api.put(`routers/${router.id}/add_router_interface`, { subnet_id: id });
  const joined = { what: `router created: gateway ${externalAddress(router)}, joined to both networks`, atMs: now() };
  const out = {
    what: `instance reaches the outside: ping ${outsideAddress}, by source NAT`,
    atMs: await firstPing(namespaces.first, outsideAddress),
  };
  const across = {
    what: `instance reaches the other network: ping ${second.client["ip"]}`,
    atMs: await firstPing(namespaces.first, second.client["ip"] ?? ""),
  };

  const floating = await api.create("floatingip", { floating_network_id: external.id, port_id: port.id });
  const floatingIp = String(floating["floating_ip_address"]);
  const given = { what: `floating IP ${floatingIp} given to the instance: POST /v2.0/floatingips answered`, atMs: now() };
  const reached = {
    what: `outside reaches the floating IP: ping ${floatingIp}`,
    atMs: await firstPing(outside.namespace, floatingIp),
  };
  const told = await askMetadata(stage);
  return { moments: [joined, out, across, given, reached, told], startMs, floatingIp };
}
