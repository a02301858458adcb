// How many networks, subnets and ports a second the server makes over HTTP, on SQLite, with its agent and NATS running.
// Client and server share the machine.
import { NetloomUp } from "../helpers/netloom-up.ts";
import type { RestClient } from "../helpers/rest-client.ts";
import { percentile, report, type Row } from "./report.ts";

interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function measure(count: number, clients: number, work: (index: number) => Promise<unknown>): Promise<Measured> {
  const latencies: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  const one = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const at = performance.now();
      await work(index);
      latencies.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: count / seconds, p50Ms: percentile(latencies, 50), p99Ms: percentile(latencies, 99) };
}

async function networkWithSubnet(client: RestClient, name: string): Promise<string> {
  const network = await client.create("network", { name });
  await client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/16" });
  return network.id;
}

const up = await NetloomUp.create();
const rows: Row[] = [];
try {
  await up.start();
  const client = up.client(8);
  // The first requests pay for lazy compilation; nobody waits for them twice.
  const warm = await networkWithSubnet(client, "warm");
  await measure(200, 1, () => client.create("port", { network_id: warm }));

  for (const clients of [1, 8]) {
    const count = 400;
    const networks: string[] = [];
    const made = await measure(count, clients, async (index) => {
      networks[index] = (await client.create("network", { name: `n${clients}-${index}` })).id;
    });
    rows.push({ what: "networks", clients, count, ...made });
    // Without DHCP, so that the figure is the server's: 400 DHCP networks would start 400 dnsmasq beside it.
    const subnets = await measure(count, clients, (index) =>
      client.create("subnet", { network_id: networks[index], ip_version: 4, cidr: "10.0.0.0/24", enable_dhcp: false }),
    );
    rows.push({ what: "subnets", clients, count, ...subnets });
    const target = await networkWithSubnet(client, `ports-${clients}`);
    const ports = await measure(1000, clients, () => client.create("port", { network_id: target }));
    rows.push({ what: "ports", clients, count: 1000, ...ports });
  }
  for (const clients of [1, 8]) {
    const target = await networkWithSubnet(client, `bulk-${clients}`);
    const bodies = Array.from({ length: 100 }, () => ({ network_id: target }));
    const bulk = await measure(20, clients, async () => {
      const answer = await client.request("POST", "/v2.0/ports", { ports: bodies });
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    });
    rows.push({ what: "ports, bulk of 100", clients, count: 2000, ...bulk, perSecond: bulk.perSecond * 100 });
  }
  const listed = await measure(20, 1, () => client.list("port", `?network_id=${warm}&limit=1000`));
  rows.push({ what: "list 200 ports of one network", clients: 1, count: 20, ...listed });
  client.close();
} finally {
  await up.destroy();
}
report("api", rows);
