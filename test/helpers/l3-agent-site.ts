// An L3 agent on the real kernel, with real time, and a server in memory beside it.
import { silentLogger } from "../../src/base/logger.ts";
import { systemClock } from "../../src/base/clock.ts";
import { NftRouterDriver } from "../../src/drivers/nft-router/nft-router-driver.ts";
import { type RunningL3Agent, startL3Agent } from "../../src/l3-agent/l3-agent-program.ts";
import type { RouterJournal } from "../../src/l3-agent/router-journal.ts";
import { processRunner } from "../../src/linux/command-runner.ts";
import { NamespaceWorker } from "../../src/linux/namespace-worker.ts";
import { NftShellPool } from "../../src/linux/nft-shell-pool.ts";
import { hasIpv6 } from "../../src/linux/sysctl.ts";
import type { Router } from "../../src/model/router.ts";
import { systemTimers } from "../../src/runtime/timers.ts";
import type { RouterItem } from "../../src/types/l3-messages.ts";
import { FakeHub } from "./fake-bus.ts";
import { FakeRouterServer, goneRouter } from "./fake-router-server.ts";
import type { RouterScene } from "./router-scene.ts";
import { waitFor } from "./wait-for.ts";

const host = "host-1";

export class L3AgentSite {
  readonly server: FakeRouterServer;
  readonly #hub: FakeHub;
  readonly #running: RunningL3Agent;
  readonly #driver: NftRouterDriver;
  readonly #closings: (() => unknown)[];

  private constructor(parts: {
    readonly server: FakeRouterServer;
    readonly hub: FakeHub;
    readonly running: RunningL3Agent;
    readonly driver: NftRouterDriver;
    readonly closings: (() => unknown)[];
  }) {
    this.server = parts.server;
    this.#hub = parts.hub;
    this.#running = parts.running;
    this.#driver = parts.driver;
    this.#closings = parts.closings;
  }

  /** Resolves when the agent is ready. @param before an earlier one, whose server goes on */
  static async start(
    scene: RouterScene,
    before?: L3AgentSite,
    { spares = 0, ...settings }: { readonly resyncIntervalMs?: number; readonly spares?: number } = {},
  ): Promise<L3AgentSite> {
    const hub = before === undefined ? new FakeHub() : before.#hub;
    const server = before?.server ?? new FakeRouterServer({ bus: hub.connect(), host });
    const [worker, nft] = [new NamespaceWorker(undefined, { idleMs: 600_000 }), new NftShellPool()];
    const closings: (() => unknown)[] = [() => worker.close(), () => nft.close()];
    const stateDir = scene.directory.path;
    const driver = new NftRouterDriver({
      ...{ runner: processRunner(), worker, nft, stateDir, namespacePrefix: scene.prefix, hasIpv6: hasIpv6() },
      bridgeMappings: new Map([["public", scene.bridge]]),
      spares,
    });
    worker.warm();
    closings.unshift(() => driver.close());
    const running = await startL3Agent({
      settings: {
        ...{ host, stateDir, availabilityZone: "nova", concurrency: 4, handleInternalOnlyRouters: true },
        ...{ reportIntervalMs: 5000, resyncIntervalMs: 60_000, resyncThrottleMs: 250, ...settings },
      },
      ...{ bus: hub.connect(), driver, clock: systemClock, timers: systemTimers, log: silentLogger },
      countForks: () => worker.starts + nft.starts,
      stop: { onStop: (_, close) => void closings.unshift(close) },
    });
    await running.ready;
    await driver.prepare();
    return new L3AgentSite({ server, hub, running, driver, closings });
  }

  get journal(): RouterJournal {
    return this.#running.agent.journal;
  }

  /** Resolves when the agent has done it all. */
  async commit(items: readonly RouterItem[]): Promise<void> {
    this.server.commit(items);
    await this.idle();
  }

  async remove(router: Router): Promise<void> {
    await this.commit([goneRouter(router)]);
  }

  async idle(): Promise<void> {
    const { agent } = this.#running;
    // A message takes a turn of the loop to arrive.
    await new Promise((resolve) => setImmediate(resolve));
    // One that fails is tried again later: nobody waits for that.
    await waitFor(() => agent.queueStats.dirty <= agent.queueStats.failing, {
      limitMs: 120_000,
      what: "the agent to be done",
      everyMs: 1,
    });
  }

  /** What is kept ready for the next router is ready again. */
  async rest(): Promise<void> {
    await this.idle();
    await this.#driver.prepared();
  }

  async stop(): Promise<void> {
    for (const close of this.#closings.splice(0)) await close();
  }
}
