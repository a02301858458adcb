// 200 networks of 5 ports that the server knows and the host does not: from the start of the agent until all are served, and the
// CPU of the agent, its children and the dnsmasq that it started. In the same run: what the ancestor does for as many networks.
import { BenchSite } from "../helpers/bench-site.ts";
import { cpuMs, exactCpuMs, treeCpuMs } from "../helpers/process-figures.ts";
import { AncestorSequence } from "../helpers/ancestor-sequence.ts";
import { report, type Row } from "./report.ts";

const networks = Number(process.argv[2] ?? 200);
const ports = 5;

async function ours(): Promise<Row> {
  const site = await BenchSite.create();
  try {
    const ids = await site.fill(networks, ports);
    const serverBefore = cpuMs(site.serverPid).own;
    const { pid, startedAt } = await site.startAgent();
    const readyMs = (await site.waitServed(networks)) - startedAt;
    const agentMs = treeCpuMs(pid);
    const { own } = cpuMs(pid);
    const pids = [...(await site.dnsmasqPids(ids)).values()];
    if (pids.some((one) => !(one > 0))) throw new Error("a network is not served");
    const dnsmasqMs = pids.reduce((sum, one) => sum + exactCpuMs(one), 0);
    return {
      what: "netloom",
      networks,
      "wall s": readyMs / 1000,
      "wall ms per network": readyMs / networks,
      "CPU ms per network": (agentMs + dnsmasqMs) / networks,
      "of it agent itself": own / networks,
      "of it dnsmasq daemons": dnsmasqMs / networks,
      "server CPU ms per network": (cpuMs(site.serverPid).own - serverBefore) / networks,
    };
  } finally {
    await site.destroy();
  }
}

async function ancestor(what: string, pollMs: number, count: number): Promise<Row> {
  const sequence = await AncestorSequence.create({ ports, pollMs, threads: 4 });
  try {
    const { wallMs, cpuMs: ms } = await sequence.run(count);
    const empty = { "of it agent itself": "", "of it dnsmasq daemons": "", "server CPU ms per network": "" };
    return {
      what,
      networks: count,
      "wall s": wallMs / 1000,
      "wall ms per network": wallMs / count,
      "CPU ms per network": ms / count,
      ...empty,
    };
  } finally {
    await sequence.destroy();
  }
}

const rows = [
  await ours(),
  await ancestor("ancestor's steps, with its 1 s polls", 1000, networks),
  await ancestor("ancestor's steps, bare", 0, Math.min(networks, 60)),
];
const factor = Number(rows[1]?.["wall ms per network"]) / Number(rows[0]?.["wall ms per network"]);
const bareFactor = Number(rows[2]?.["wall ms per network"]) / Number(rows[0]?.["wall ms per network"]);
report(
  "cold-sync",
  rows.map((row, index) => ({ ...row, "times slower": [1, factor, bareFactor][index] ?? "" })),
);
