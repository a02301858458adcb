// A network with one plugged instance in a running netloom, and what the host has of a state directory.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type NetloomUp, netloom } from "./netloom-up.ts";
import { createNamespace, deleteNamespace } from "./namespaces.ts";
import type { Json } from "./rest-client.ts";
import { waitFor } from "./wait-for.ts";

export interface Instance {
  readonly namespace: string;
  readonly network: Json & { readonly id: string };
  readonly subnet: Json & { readonly id: string };
  readonly port: Json & { readonly id: string };
  remove(): Promise<void>;
}

/** A network, a subnet, an ACTIVE port, and a namespace that has the port's interface as eth0. */
export async function createInstance(up: NetloomUp, name: string): Promise<Instance> {
  const client = up.client();
  const namespace = await createNamespace(`${up.prefix}${name}`);
  const network = await client.create("network", { name });
  const subnet = await client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.77.0.0/24" });
  const port = await client.create("port", { network_id: network.id, name });
  await waitFor(async () => (await client.show("port", port.id))["status"] === "ACTIVE", {
    limitMs: 15_000,
    what: "port ACTIVE",
  });
  client.close();
  const argv = ["port", "plug", port.id, "--netns", namespace, "--url", up.url, "--state-dir", up.stateDir];
  const plugged = await netloom(argv);
  if (plugged.exitCode !== 0) throw new Error(`port plug: ${plugged.stderr}`);
  return { namespace, network, subnet, port, remove: () => deleteNamespace(namespace) };
}

/** Pids whose command line names the state directory: netloom's programs, nats-server, dnsmasq, dbus-daemon. */
export async function findProcessesOf(stateDir: string, program?: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const text = await readFile(join("/proc", entry, "cmdline"), "utf8").catch(() => "");
    const words = text.split("\0");
    const isOfProgram = program === undefined || words.some((word) => word === program || word.endsWith(`/${program}`));
    if (text.includes(stateDir) && isOfProgram) found.push(Number(entry));
  }
  return found.sort((one, other) => one - other);
}

/** What outlives netloom's programs: the DHCP servers and their lease bus. */
export async function findDaemonsOf(stateDir: string): Promise<readonly number[]> {
  const found = await Promise.all(["dnsmasq", "dbus-daemon"].map((program) => findProcessesOf(stateDir, program)));
  return found.flat().sort((one, other) => one - other);
}
