// A floating-IP agent with everything around it fake: routers, kernel, server, wire and time.
import type { RouterReady } from "../../src/drivers/l3-layout.ts";
import { FloatingIpAgent } from "../../src/floating-ip-agent/floating-ip-agent.ts";
import { FloatingIpPluginApi } from "../../src/floating-ip-agent/floating-ip-plugin-api.ts";
import type { FloatingIpStatus } from "../../src/floating-ip-agent/status-memory.ts";
import { portId, type RouterId } from "../../src/model/ids.ts";
import { ItemStream } from "../../src/runtime/item-stream.ts";
import { ReportQueue } from "../../src/runtime/report-queue.ts";
import { type FloatingIpItem, floatingIpStreamMessageSchema } from "../../src/types/l3-messages.ts";
import { type LogLine, recordingLogger, rigHost, turnLoop } from "./agent-rig.ts";
import { FakeHub, type FakeBus } from "./fake-bus.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeFloatingIpDriver, type FakeKernel } from "./fake-floating-ip-driver.ts";
import { FakeFloatingIpServer } from "./fake-floating-ip-server.ts";

/** Routers as the L3 agent would tell of them; nothing is heard until `told` or a look at all. */
export class FakePlaces {
  readonly #there = new Map<RouterId, RouterReady>();
  readonly #known = new Map<RouterId, RouterReady>();

  set(routerId: RouterId, values: Partial<RouterReady> = {}): RouterReady {
    const place: RouterReady = {
      ...{ routerId, namespace: `qrouter-${routerId}`, namespaceInode: 1, epoch: "life-1", gatewayDevice: "qg-1" },
      ...{ gatewayPortId: portId("00000004-0000-4000-8000-000000000001"), gatewayMac: "fa:16:3e:00:00:01" },
      ...values,
    };
    this.#there.set(routerId, place);
    return place;
  }

  remove(routerId: RouterId): void {
    this.#there.delete(routerId);
  }

  get(routerId: RouterId): RouterReady | undefined {
    return this.#known.get(routerId);
  }

  routerIds(): readonly RouterId[] {
    return [...this.#known.keys()];
  }

  lookAtAll(): readonly RouterId[] {
    const changed = [...new Set([...this.#there.keys(), ...this.#known.keys()])].filter(
      (id) => JSON.stringify(this.#there.get(id)) !== JSON.stringify(this.#known.get(id)),
    );
    this.#known.clear();
    for (const [id, place] of this.#there) this.#known.set(id, place);
    return changed;
  }
}

const describeAgent = {
  ...{ agentType: "Floating IP agent", binary: "test", host: rigHost, bootId: "boot", availabilityZone: "nova" },
  ...{ startedAtMs: 1, configurations: {} },
};

export class FloatingIpAgentRig {
  readonly clock = new FakeClock();
  readonly hub: FakeHub;
  readonly server: FakeFloatingIpServer;
  readonly places: FakePlaces;
  readonly driver: FakeFloatingIpDriver;
  readonly lines: LogLine[] = [];
  readonly bus: FakeBus;
  readonly agent: FloatingIpAgent;
  readonly #stream: ItemStream<FloatingIpItem>;

  /** @param before an earlier agent's rig, whose host and server go on */
  constructor(
    options: { readonly pageSize?: number; readonly before?: FloatingIpAgentRig; readonly concurrency?: number } = {},
  ) {
    const { before, pageSize, concurrency = 4 } = options;
    this.hub = before?.hub ?? new FakeHub();
    const paging = pageSize === undefined ? {} : { pageSize };
    this.server = before?.server ?? new FakeFloatingIpServer({ bus: this.hub.connect(), host: rigHost, ...paging });
    this.places = before?.places ?? new FakePlaces();
    const kernel: FakeKernel | undefined = before?.driver.kernel;
    this.driver = new FakeFloatingIpDriver(kernel);
    this.bus = this.hub.connect();
    const { clock, bus, driver, places } = this;
    const log = recordingLogger(this.lines);
    const api = new FloatingIpPluginApi({ bus, host: rigHost });
    const reports = new ReportQueue<FloatingIpStatus>({
      send: (floatingIps) => api.reportStatus({ floatingIps: [...floatingIps] }),
      ...{ batch: 1000, timers: clock, log, random: () => 0.5 },
    });
    this.agent = new FloatingIpAgent({
      ...{ driver, places, clock, timers: clock, log, concurrency, verifyEveryMs: 60_000, random: () => 0.5 },
      report: (status) => reports.add(status.id, status),
    });
    this.#stream = new ItemStream<FloatingIpItem>({
      ...{ bus, role: "fip", host: rigHost, clock, timers: clock, log, sink: this.agent, random: () => 0.5 },
      schema: floatingIpStreamMessageSchema,
      sync: (request) => api.sync({ agent: describeAgent, ...request }),
    });
    bus.onReconnect(() => reports.retryNow());
  }

  async start(): Promise<void> {
    this.places.lookAtAll();
    this.agent.start();
    this.#stream.start();
    await this.settle();
  }

  /** The L3 agent tells of what it did. */
  async tell(): Promise<void> {
    for (const id of this.places.lookAtAll()) this.agent.routerChanged(id);
    await this.settle();
  }

  async commit(items: readonly FloatingIpItem[], options: { readonly isLost?: boolean } = {}): Promise<void> {
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

  /** The process is gone from one line to the next; what it made stays. */
  async kill(): Promise<void> {
    this.#stream.close();
    await this.bus.close();
    await this.agent.close();
  }

  log(message: string): readonly LogLine[] {
    return this.lines.filter((line) => line.message === message);
  }
}
