// Routers with a gateway and two interfaces: from the event on the bus to the first ping of an instance that the outside answers,
// for an agent that has just started and for one that has worked, against the ancestor's commands in the same run; and an agent
// that starts again with many routers: how long it takes, and what is lost meanwhile; and the memory of
// an agent's process with as many.
import type { Router } from "../../src/model/router.ts";
import { AncestorRouters } from "../helpers/ancestor-router.ts";
import { routerItem } from "../helpers/fake-router-server.ts";
import { FirstPingProbe } from "../helpers/first-ping.ts";
import { L3AgentProcess } from "../helpers/l3-agent-process.ts";
import { L3AgentSite } from "../helpers/l3-agent-site.ts";
import { makeAddress, makeGateway, makeInterface, makeRouter } from "../helpers/router-items.ts";
import { sh } from "../helpers/namespaces.ts";
import { RouterScene } from "../helpers/router-scene.ts";
import { percentile, report } from "./report.ts";

const rounds = Number(process.argv[2] ?? 15);
const many = Number(process.argv[3] ?? 200);
const outside = "203.0.113.254";
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

const red = makeInterface([makeAddress("10.1.0.1", "10.1.0.0/24")]);
const blue = makeInterface([makeAddress("10.2.0.1", "10.2.0.0/24")]);

/** Another router for the same two networks. */
function nextRouter(n: number): Router {
  const fresh = (port: typeof red) => makeInterface(port.addresses, { networkId: port.networkId });
  const address = makeAddress(`203.0.113.${(n % 200) + 10}`, "203.0.113.0/24", { gatewayIp: outside });
  return makeRouter({ interfaces: [fresh(red), fresh(blue)], gateway: makeGateway([address]) });
}

interface Sample {
  readonly pingMs: number;
  readonly doneMs: number;
}

const scene = await RouterScene.open();
const guest = await scene.plugGuest("one", red, "10.1.0.5/24", "10.1.0.1");
await scene.plugGuest("two", blue, "10.2.0.5/24", "10.2.0.1");
const probe = await FirstPingProbe.start(guest.namespace);

async function measure(create: () => Promise<unknown>, isPinged = true): Promise<Sample> {
  // Nobody knows the new router yet.
  for (const namespace of [guest.namespace, scene.outside]) await sh("ip", "-n", namespace, "neigh", "flush", "all");
  const answer = isPinged ? probe.wait(outside) : undefined;
  const startedAt = nowMs();
  await create();
  const doneMs = nowMs() - startedAt;
  return { pingMs: answer === undefined ? Number.NaN : (await answer).atMs - startedAt, doneMs };
}

async function byAgent(isCold: boolean): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const spares = isCold ? 0 : 2;
  let site = await L3AgentSite.start(scene, undefined, { spares });
  for (let n = 0; n < rounds; n += 1) {
    if (isCold) {
      await site.stop();
      site = await L3AgentSite.start(scene);
    }
    const router = nextRouter(n);
    await site.rest();
    samples.push(await measure(() => site.commit([routerItem(router)])));
    await site.remove(router);
  }
  await site.stop();
  return isCold ? samples : samples.slice(1);
}

async function byAncestor(): Promise<{ readonly samples: readonly Sample[]; readonly children: number }> {
  const samples: Sample[] = [];
  let children = 0;
  for (let n = 0; n < rounds; n += 1) {
    const ancestor = new AncestorRouters({ namespaceOf: (router) => scene.namespaceOf(router), externalBridge: scene.bridge });
    try {
      samples.push(await measure(() => ancestor.create(nextRouter(n)), false));
      children = ancestor.children;
    } finally {
      await ancestor.destroy();
    }
  }
  return { samples, children };
}

/** Routers that have nothing in common with others but the external network. */
function manyRouters(): readonly Router[] {
  return Array.from({ length: many }, (_, n) => {
    const interfaces = [0, 1].map((side) => makeInterface([makeAddress(`10.${side + 8}.0.1`, `10.${side + 8}.0.0/24`)]));
    const address = makeAddress(`203.0.113.${(n % 200) + 10}`, "203.0.113.0/24", { gatewayIp: outside });
    return makeRouter({ interfaces, gateway: makeGateway([address]) });
  });
}

/** Of an agent's process alone, with as many routers; after it made them, and after a restart that found them. */
async function measureMemory(): Promise<Readonly<Record<string, number>>> {
  const agent = await L3AgentProcess.create();
  try {
    await agent.start();
    const empty = agent.readMemory();
    await agent.commit(manyRouters());
    const made = agent.readMemory();
    await agent.stop();
    await agent.start();
    const found = agent.readMemory();
    return {
      "agent's process without routers: resident, MB": empty.residentMb,
      "having made them": made.residentMb,
      "after a restart": found.residentMb,
      "its children, having made them: how many": made.children,
      "and their share of memory, MB": made.childrenMb,
      "after a restart: how many": found.children,
      "and their share, MB": found.childrenMb,
    };
  } finally {
    await agent.destroy();
  }
}

async function restart(): Promise<Readonly<Record<string, number>>> {
  const routers = manyRouters();
  const known = nextRouter(150);
  const before = await L3AgentSite.start(scene);
  const startedAt = nowMs();
  await before.commit([...routers, known].map(routerItem));
  const createMs = nowMs() - startedAt;
  await probe.wait(outside);
  await before.stop();
  const pings = await scene.keepPinging(guest.namespace, outside);
  const restartedAt = nowMs();
  const after = await L3AgentSite.start(scene, before);
  const readyMs = nowMs() - restartedAt;
  const { sent, lost } = await pings.stop();
  const { outcomes } = after.journal;
  if (outcomes.get("adopted") !== many + 1) throw new Error(`not adopted: ${JSON.stringify([...outcomes])}`);
  for (const router of [...routers, known]) await after.remove(router);
  await after.stop();
  return { createMs: createMs / (many + 1), readyMs, sent, lost };
}

try {
  // In turns, so that whatever else the machine does meets all of them.
  const cold = await byAgent(true);
  const ancestor = await byAncestor();
  const warm = await byAgent(false);
  // The ancestor announces its addresses by arping, which is left out: neighbours would ask again after a second. So what counts is
  // when its last command is done.
  const base = percentile(
    ancestor.samples.map(({ doneMs }) => doneMs),
    50,
  );
  const row = (figure: string, times: readonly number[]) => ({
    ...{ figure, min: Math.min(...times), p50: percentile(times, 50), p90: percentile(times, 90) },
    "ancestor ÷ this": base / percentile(times, 50),
  });
  const pings = (samples: readonly Sample[]): readonly number[] => samples.map(({ pingMs }) => pingMs);
  report("router: event to first packet, ms", [
    row("agent just started", pings(cold)),
    row("agent that has worked", pings(warm)),
    row(
      `ancestor's ${ancestor.children} commands done`,
      ancestor.samples.map(({ doneMs }) => doneMs),
    ),
  ]);
  const figures = await restart();
  report(
    `router: ${many} routers`,
    Object.entries({
      "to make each, ms": figures["createMs"],
      "restart to ready, ms": figures["readyMs"],
      "pings sent meanwhile": figures["sent"],
      "pings lost meanwhile": figures["lost"],
      ...(await measureMemory()),
    }).map(([figure, value]) => ({ figure, value: value ?? Number.NaN })),
  );
} finally {
  await probe.close();
  await scene.remove();
}
