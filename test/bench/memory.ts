// What 1,000 networks of 5 ports cost in memory: the agent, and each network beside it.
import { BenchSite } from "../helpers/bench-site.ts";
import { liveChildren, proportionalMb, residentMb } from "../helpers/process-figures.ts";
import { percentile, report } from "./report.ts";

const networks = Number(process.argv[2] ?? 1000);

const site = await BenchSite.create();
try {
  const ids = await site.fill(networks, 5);
  const { pid, startedAt } = await site.startAgent();
  const readyMs = (await site.waitServed(networks)) - startedAt;
  const afterSync = residentMb(pid);
  // As an agent that runs for long is: after a restart that adopted everything.
  await site.stopAgent();
  const warm = await site.startAgent();
  const pids = [...(await site.dnsmasqPids(ids)).values()];
  const shares = pids.map(proportionalMb);
  report("memory", [
    {
      networks,
      "cold sync s": readyMs / 1000,
      "agent after cold sync MB": afterSync,
      "agent after restart MB": residentMb(warm.pid),
      "dnsmasq PSS MB, median": percentile(shares, 50),
      max: Math.max(...shares),
      "dnsmasq processes per network": pids.filter((one) => one > 0).length / networks,
      "agent's children": liveChildren(warm.pid).length,
    },
  ]);
} finally {
  await site.destroy();
}
