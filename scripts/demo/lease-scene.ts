// The first part of the demo: a network, a port, and a real DHCP client that gets the port's address.
import { join } from "node:path";
import { createTrace, formatTraceparent } from "../../src/base/trace-context.ts";
import { type ApiObject, type DemoApi, waitFor } from "./api.ts";
import { addNamespace, askForLease, type ClientOptions, readDevice } from "./instance.ts";
import { netloom } from "./netloom.ts";
import { type Moment, readAgentMoment } from "./timeline.ts";

export interface LeaseStage {
  readonly api: DemoApi;
  readonly url: string;
  readonly stateDir: string;
  readonly directory: string;
  readonly namespace: string;
  readonly say: (text: string) => void;
}

export interface LeaseScene {
  readonly network: ApiObject;
  readonly subnet: ApiObject;
  readonly port: ApiObject;
  readonly client: ClientOptions;
  readonly moments: readonly Moment[];
  readonly startMs: number;
}

const now = (): number => performance.timeOrigin + performance.now();

export async function playLease({ api, url, stateDir, directory, namespace, say }: LeaseStage): Promise<LeaseScene> {
  await addNamespace(namespace);
  const network = await api.create("network", { name: "demo", mtu: 1450 });
  const subnetMs = now();
  const subnet = await api.create("subnet", {
    network_id: network.id,
    name: "demo-v4",
    ip_version: 4,
    cidr: "10.42.0.0/24",
    dns_nameservers: ["192.0.2.53", "192.0.2.54"],
  });

  // The first subnet brings the agent's own port and dnsmasq; the timeline shows what a port costs once they are there.
  await waitFor("the network's own DHCP port", 20_000, async () => {
    return (await api.list("port", `network_id=${network.id}&device_owner=network:dhcp&status=ACTIVE`))[0];
  });
  say(`DHCP for the network runs (${Math.round(now() - subnetMs)} ms after POST /v2.0/subnets)`);

  const trace = createTrace();
  const startMs = now();
  const port = await api.create("port", { name: "web", network_id: network.id }, formatTraceparent(trace));
  const created = { what: "port created: POST /v2.0/ports answered", atMs: now() };
  await waitFor("port ACTIVE", 20_000, async () => {
    return (await api.show("port", port.id))["status"] === "ACTIVE" ? true : undefined;
  });
  const ready = { what: "DHCP ready: the port is ACTIVE", atMs: now() };
  const agentLog = join(stateDir, "log", "dhcp-agent.log");
  const eventMs = await waitFor("the change in the agent's log", 5000, () => readAgentMoment(agentLog, trace.traceId));

  await netloom(["port", "plug", port.id, "--netns", namespace, "--url", url, "--state-dir", stateDir]);
  const plugged = { what: `instance plugged: namespace ${namespace} has the port's MAC`, atMs: now() };
  const client = await askForLease({ namespace, device: await readDevice(namespace), directory });
  const leased = { what: `lease obtained: udhcpc has ${client["ip"]}`, atMs: Number(client["at"]) };
  await waitFor("the lease at the server", 10_000, async () => (await api.list("lease", `port_id=${port.id}`))[0]);
  const seen = { what: "lease seen by the server: GET /v2.0/leases has it", atMs: now() };
  const event = { what: "event at the agent: it begins to work on the network", atMs: eventMs };
  return { network, subnet, port, client, moments: [created, event, ready, plugged, leased, seen], startMs };
}
