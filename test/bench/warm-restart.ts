// The agent is killed and started again while nothing has changed: how long until it is ready, what it forked, which dnsmasq it
// restarted, and how long a client that asks every 20 ms had no answer. The number of networks is the first argument.
import { BenchSite } from "../helpers/bench-site.ts";
import { childFaults, cpuMs, liveChildren } from "../helpers/process-figures.ts";
import { PluggedProbe } from "../helpers/silence-probe.ts";
import { percentile, report, type Row } from "./report.ts";

const networks = Number(process.argv[2] ?? 200);
const rounds = 3;

async function restart(site: BenchSite, ids: readonly string[], probes: readonly PluggedProbe[]): Promise<Row> {
  const before = await site.dnsmasqPids(ids);
  let isOver = false;
  const watching = probes.map((probe) => probe.watch(() => isOver));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await site.stopAgent("SIGKILL");
  const { pid, readyMs } = await site.startAgent();
  const forks =
    childFaults(pid) === 0 && liveChildren(pid).length === 0 ? 0 : await site.agentFigure("netloom_dhcp_agent_forks_total");
  const cpu = cpuMs(pid).own;
  await new Promise((resolve) => setTimeout(resolve, 500));
  isOver = true;
  const silences = await Promise.all(watching);
  const after = await site.dnsmasqPids(ids);
  return {
    networks,
    "ready ms": readyMs,
    "agent CPU ms": cpu,
    forks,
    "dnsmasq restarted": ids.filter((id) => before.get(id) !== after.get(id)).length,
    "longest silence ms": Math.max(...silences.map(({ longestMs }) => longestMs)),
    asked: silences.reduce((sum, { asked }) => sum + asked, 0),
    "never answered": silences.reduce((sum, { lost }) => sum + lost, 0),
  };
}

const site = await BenchSite.create();
const probes: PluggedProbe[] = [];
const rows: Row[] = [];
try {
  const ids = await site.fill(networks, 5);
  await site.startAgent();
  await site.waitServed(networks);
  for (const [index, id] of [ids[0], ids.at(-1)].entries()) {
    if (id !== undefined) probes.push(await PluggedProbe.start(site, id, `p${index}`));
  }
  // What plugging changed is in effect, and the first restart fills the compile cache.
  for (let round = 0; round <= rounds; round += 1) {
    const row = await restart(site, ids, probes);
    if (round > 0) rows.push(row);
  }
} finally {
  for (const probe of probes) await probe.close();
  await site.destroy();
}
const median = percentile(
  rows.map((row) => Number(row["ready ms"])),
  50,
);
report(
  "warm-restart",
  rows.map((row) => ({ ...row, "median ready ms": median })),
);
