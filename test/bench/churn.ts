// 200 networks on one host, ports made and deleted all over them at 200 changes a second and more: how long from the API's
// answer until the agent reports the port as served, and how long the agent itself needed for any change.
import { BenchSite } from "../helpers/bench-site.ts";
import { EffectWatch } from "../helpers/effect-watch.ts";
import { cpuMs } from "../helpers/process-figures.ts";
import { createRandom } from "../helpers/random.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { percentile, report } from "./report.ts";

const networks = Number(process.argv[2] ?? 200);
const perSecond = Number(process.argv[3] ?? 220);
const seconds = 20;

interface Made {
  readonly id: string;
  readonly answeredAt: number;
}

/** Changes at a steady pace, whatever the answers take. */
async function churn(
  site: BenchSite,
  ids: readonly string[],
): Promise<{ readonly made: readonly Made[]; readonly deleted: number }> {
  const random = createRandom(1);
  const made: Made[] = [];
  const living: string[] = [];
  const underWay: Promise<void>[] = [];
  let deleted = 0;
  const create = async (): Promise<void> => {
    const port = await site.client.create("port", { network_id: random.pick(ids) });
    made.push({ id: port.id, answeredAt: performance.now() });
    living.push(port.id);
  };
  const remove = async (id: string): Promise<void> => {
    await site.client.remove("port", id);
    deleted += 1;
  };
  const startedAt = performance.now();
  for (let sent = 0; sent < perSecond * seconds; sent += 1) {
    const waitMs = startedAt + (sent * 1000) / perSecond - performance.now();
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const victim = living.length > 50 && random.next() < 0.5 ? living.splice(random.below(living.length), 1)[0] : undefined;
    underWay.push(victim === undefined ? create() : remove(victim));
  }
  await Promise.all(underWay);
  return { made, deleted };
}

const site = await BenchSite.create();
try {
  const ids = await site.fill(networks, 5);
  await site.startAgent();
  await site.waitServed(networks);
  const watch = await EffectWatch.start(site);
  const agentBefore = cpuMs(site.agentPid);
  const forksBefore = await site.agentFigure("netloom_dhcp_agent_forks_total");
  const startedAt = performance.now();
  const { made, deleted } = await churn(site, ids);
  const tookS = (performance.now() - startedAt) / 1000;
  const agentAfter = cpuMs(site.agentPid);
  // A port that was deleted before its turn is never reported; it has no client either.
  await waitFor(async () => (await site.agentFigure("netloom_dhcp_agent_dirty_networks")) === 0, {
    limitMs: 30_000,
    what: "no network to be dirty",
  });
  const delays = made.flatMap(({ id, answeredAt }) => {
    const at = watch.readyAt.get(id);
    return at === undefined ? [] : [Math.max(0, at - answeredAt)];
  });
  report("churn", [
    {
      networks,
      "changes per s": (made.length + deleted) / tookS,
      created: made.length,
      deleted,
      reported: delays.length,
      "p50 ms": percentile(delays, 50),
      "p99 ms": percentile(delays, 99),
      "max ms": Math.max(...delays),
      "agent CPU ms per change":
        (agentAfter.own + agentAfter.children - agentBefore.own - agentBefore.children) / (made.length + deleted),
      forks: (await site.agentFigure("netloom_dhcp_agent_forks_total")) - forksBefore,
    },
  ]);
} finally {
  await site.destroy();
}
