// 1,000 ports created in one network, in bulks of 100: how long after the last answer until the agent has reported all as served.
import { BenchSite } from "../helpers/bench-site.ts";
import { EffectWatch } from "../helpers/effect-watch.ts";
import { exactCpuMs } from "../helpers/process-figures.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { report, type Row } from "./report.ts";

const count = Number(process.argv[2] ?? 1000);

async function burst(site: BenchSite, what: string, create: (network: string) => Promise<void>): Promise<Row> {
  const network = await site.client.create("network", { name: what });
  await site.client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/16" });
  await waitFor(async () => (await site.dnsmasqPids([network.id])).get(network.id) !== 0, { limitMs: 10_000, what: "dnsmasq" });
  const watch = await EffectWatch.start(site);
  const pid = (await site.dnsmasqPids([network.id])).get(network.id) ?? 0;
  const before = { reconciles: await site.agentFigure("netloom_dhcp_agent_reconciles_total"), dnsmasq: exactCpuMs(pid) };
  const startedAt = performance.now();
  await create(network.id);
  const createdAt = performance.now();
  await waitFor(() => watch.readyAt.size >= count, { limitMs: 60_000, what: `${count} ports to be reported`, everyMs: 5 });
  const lastAt = Math.max(...watch.readyAt.values());
  return {
    what,
    ports: count,
    "creating s": (createdAt - startedAt) / 1000,
    "last ready after last answer ms": Math.max(0, lastAt - createdAt),
    reconciles: (await site.agentFigure("netloom_dhcp_agent_reconciles_total")) - before.reconciles,
    "dnsmasq CPU ms": exactCpuMs(pid) - before.dnsmasq,
  };
}

const site = await BenchSite.create();
try {
  await site.startAgent();
  const one = async (network: string): Promise<void> => {
    let left = count;
    const worker = async (): Promise<void> => {
      while (left-- > 0) await site.client.create("port", { network_id: network });
    };
    await Promise.all(Array.from({ length: 8 }, worker));
  };
  report("burst", [
    await burst(site, "bulks of 100", (network) => site.addPorts(network, count)),
    await burst(site, "one by one, 8 clients", one),
  ]);
} finally {
  await site.destroy();
}
