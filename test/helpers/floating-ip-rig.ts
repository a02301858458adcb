// A router's namespace as the L3 agent leaves it, with its rules, an outside and instances, all with real packets.
import type { RouterReady } from "../../src/drivers/l3-layout.ts";
import { floatingIpObjects, routerTable } from "../../src/drivers/l3-layout.ts";
import { createTableLine } from "../../src/drivers/nft-router/ruleset.ts";
import { namespaceInode } from "../../src/linux/netns.ts";
import { portId, routerId } from "../../src/model/ids.ts";
import { gatewayDeviceName, routerDeviceName, routerNamespaceName } from "../../src/model/device-names.ts";
import { createNamespace, deleteNamespace, randomId, randomPrefix, sh } from "./namespaces.ts";

export interface FloatingIpRig {
  readonly router: string;
  readonly outside: string;
  readonly instances: readonly string[];
  readonly place: RouterReady;
  /** The gateway is .1 of 203.0.113.0/24, the outside .254, instances are 10.0.0.11, .12, … */
  inside(name: string, ...words: readonly string[]): Promise<string>;
  /** Whether an answer comes; it is asked for every second, for ten. */
  pings(name: string, address: string): Promise<boolean>;
  /** Whether no answer comes within a second. */
  isSilent(name: string, address: string): Promise<boolean>;
  /** All elements and local routes of floating IPs as text, sorted. */
  readElements(): Promise<readonly string[]>;
  readRoutes(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const inside = (name: string, ...words: readonly string[]): Promise<string> => sh("ip", "netns", "exec", name, ...words);

const isAnswered = (name: string, address: string, limit: string): Promise<boolean> =>
  inside(name, "ping", "-c1", limit, address).then(
    () => true,
    () => false,
  );

export async function createFloatingIpRig(instanceCount = 2): Promise<FloatingIpRig> {
  const prefix = randomPrefix();
  const id = routerId(randomId());
  const gatewayPort = portId(randomId());
  const names = {
    router: await createNamespace(routerNamespaceName(prefix, id)),
    outside: await createNamespace(`${prefix}out`),
    wires: await createNamespace(`${prefix}wires`),
  };
  const qg = gatewayDeviceName(gatewayPort);
  const qr = routerDeviceName(portId(randomId()));
  for (const bridge of ["ext", "int"]) {
    await sh("ip", "-n", names.wires, "link", "add", bridge, "type", "bridge", "forward_delay", "0");
    await sh("ip", "-n", names.wires, "link", "set", bridge, "up");
  }
  let wire = 0;
  const plug = async (name: string, device: string, bridge: string, address: string): Promise<void> => {
    const end = `w${(wire += 1)}`;
    await sh("ip", "-n", names.wires, "link", "add", end, "type", "veth", "peer", "name", device, "netns", name);
    await sh("ip", "-n", names.wires, "link", "set", end, "master", bridge, "up");
    await sh("ip", "-n", name, "addr", "add", `${address}/24`, "dev", device);
    await sh("ip", "-n", name, "link", "set", device, "up");
  };
  await plug(names.router, qg, "ext", "203.0.113.1");
  await plug(names.router, qr, "int", "10.0.0.1");
  await plug(names.outside, "eth0", "ext", "203.0.113.254");
  const instances: string[] = [];
  for (let index = 1; index <= instanceCount; index += 1) {
    const name = await createNamespace(`${prefix}i${index}`);
    instances.push(name);
    await plug(name, "eth0", "int", `10.0.0.${10 + index}`);
    await sh("ip", "-n", name, "route", "add", "default", "via", "10.0.0.1");
  }
  await inside(names.router, "sysctl", "-qw", "net.ipv4.ip_forward=1");
  const sets = {
    ...{ gw_ip: ["203.0.113.1"], gw_src: [`"${qg}" : 203.0.113.1`], hair_src: [`"${qr}" : 203.0.113.1`] },
    ...{ scope_direct: [], scope_drop: [] },
  };
  await inside(names.router, "nft", createTableLine(sets));
  // Links that were just set up carry nothing for a moment.
  await inside(names.outside, "ping", "-c1", "-w10", "203.0.113.1");
  for (const name of instances) await inside(name, "ping", "-c1", "-w10", "10.0.0.1");
  const link: readonly { address: string }[] = JSON.parse(await sh("ip", "-n", names.router, "-j", "link", "show", qg));
  return {
    router: names.router,
    outside: names.outside,
    instances,
    place: {
      routerId: id,
      namespace: names.router,
      namespaceInode: namespaceInode(names.router) ?? 0,
      epoch: randomId(),
      gatewayDevice: qg,
      gatewayPortId: gatewayPort,
      gatewayMac: link[0]?.address ?? "",
    },
    inside,
    pings: (name, address) => isAnswered(name, address, "-w10"),
    isSilent: async (name, address) => !(await isAnswered(name, address, "-W1")),
    readElements: async () => readElements(await inside(names.router, "nft", "-j", "list", "table", "inet", routerTable)),
    readRoutes: async () => {
      const routes: readonly { dst: string; dev: string }[] = JSON.parse(
        await sh("ip", "-n", names.router, "-j", "route", "show", "table", "local", "proto", "static"),
      );
      return routes.map(({ dst, dev }) => `${dst} ${dev === qg ? "qg" : dev}`).toSorted();
    },
    close: async () => {
      for (const name of [...instances, ...Object.values(names)]) await deleteNamespace(name);
    },
  };
}

/** By libnftables-json(5), independent of the driver's reader: `<object> <JSON of the element>`. */
function readElements(json: string): readonly string[] {
  const { nftables } = JSON.parse(json);
  const found: string[] = [];
  const names = new Set<string>(Object.values(floatingIpObjects).map(({ name }) => name));
  for (const { map, set } of nftables) {
    const object = map ?? set;
    if (!names.has(object?.name)) continue;
    for (const elem of object?.elem ?? []) found.push(`${object.name} ${JSON.stringify(elem)}`);
  }
  return found.toSorted();
}
