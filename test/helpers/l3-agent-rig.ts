// An L3 agent with everything around it fake: kernel, server, wire and time.
import { createTestDirectory, type TestDirectory } from "./namespaces.ts";
import { type RunningL3Agent, startL3Agent } from "../../src/l3-agent/l3-agent-program.ts";
import type { RouterMetadata } from "../../src/l3-agent/router-serving.ts";
import { type LogLine, recordingLogger, rigHost, turnLoop } from "./agent-rig.ts";
import { FakeHub, type FakeBus } from "./fake-bus.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeRouterDriver } from "./fake-router-driver.ts";
import { FakeRouterServer } from "./fake-router-server.ts";
import type { RouterItem } from "../../src/types/l3-messages.ts";

export interface L3RigOptions {
  /** An earlier agent's rig, whose host and server go on. */
  readonly before?: L3AgentRig;
  readonly pageSize?: number;
  readonly concurrency?: number;
  readonly handlesInternalOnly?: boolean;
  readonly metadata?: RouterMetadata;
  readonly fenceAfterMs?: number;
}

export class L3AgentRig {
  readonly clock = new FakeClock();
  readonly hub: FakeHub;
  readonly server: FakeRouterServer;
  readonly driver: FakeRouterDriver;
  readonly lines: LogLine[] = [];
  readonly bus: FakeBus;
  readonly #options: L3RigOptions;
  readonly #closings: (() => unknown)[] = [];
  #directory: TestDirectory | undefined;
  #running: RunningL3Agent | undefined;

  constructor(options: L3RigOptions = {}) {
    const { before, pageSize } = options;
    this.#options = options;
    this.hub = before?.hub ?? new FakeHub();
    const paging = pageSize === undefined ? {} : { pageSize };
    this.server = before?.server ?? new FakeRouterServer({ bus: this.hub.connect(), host: rigHost, ...paging });
    this.driver = new FakeRouterDriver(before?.driver.kernel);
    this.bus = this.hub.connect();
  }

  get running(): RunningL3Agent {
    if (this.#running === undefined) throw new Error("the agent was not started");
    return this.#running;
  }

  async start(): Promise<void> {
    const { concurrency = 4, handlesInternalOnly = true, metadata, fenceAfterMs } = this.#options;
    const { clock, bus, driver } = this;
    this.#directory = await createTestDirectory();
    this.#running = await startL3Agent({
      settings: {
        ...{ host: rigHost, availabilityZone: "nova", stateDir: this.#directory.path, concurrency },
        ...{ handleInternalOnlyRouters: handlesInternalOnly, reportIntervalMs: 5000 },
        ...{ resyncThrottleMs: 250, resyncIntervalMs: 60_000, fenceAfterMs },
      },
      ...{ bus, driver, metadata, clock, timers: clock, log: recordingLogger(this.lines), countForks: () => 0 },
      random: () => 0.5,
      stop: { onStop: (_, close) => void this.#closings.unshift(close) },
    });
    await this.settle();
  }

  get stateDir(): string {
    if (this.#directory === undefined) throw new Error("the agent was not started");
    return this.#directory.path;
  }

  async commit(items: readonly RouterItem[], options: { readonly isLost?: boolean } = {}): Promise<void> {
    this.server.commit(items, options);
    await this.settle();
  }

  /** Lets everything run that takes no more than a moment. */
  async settle(): Promise<void> {
    await turnLoop();
    await this.advance(10);
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await turnLoop();
  }

  /** An orderly end; what it made stays. */
  async stop(): Promise<void> {
    for (const close of this.#closings.splice(0)) await Promise.race([close(), this.advance(600)]);
    await this.#directory?.remove();
  }

  log(message: string): readonly LogLine[] {
    return this.lines.filter((line) => line.message === message);
  }
}
