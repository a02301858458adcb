// A DHCP agent with everything around it fake: host, server, wire and time. The host outlives the agent, as a kernel does.
import type { Logger, LogFields } from "../../src/base/logger.ts";
import { NetworkCache } from "../../src/cache/network-cache.ts";
import { DhcpAgent } from "../../src/agent/dhcp-agent.ts";
import { DhcpPluginApi } from "../../src/agent/dhcp-plugin-api.ts";
import { SelfFence } from "../../src/runtime/self-fence.ts";
import { StatusReporter } from "../../src/agent/status-reporter.ts";
import { StreamConsumer } from "../../src/agent/stream-consumer.ts";
import type { AgentDescription } from "../../src/types/agent-messages.ts";
import { FakeHub, type FakeBus } from "./fake-bus.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeDeviceManager, FakeDhcpDriver, FakeHost } from "./fake-dhcp-driver.ts";
import { FakeMetadata } from "./fake-metadata.ts";
import { FakeServer } from "./fake-server.ts";

export const rigHost = "host-1";

export interface LogLine extends LogFields {
  readonly level: string;
  readonly message: string;
}

/** Keeps every line for the test to look at. */
export function recordingLogger(lines: LogLine[]): Logger {
  const at = (level: string) => (fields: LogFields, message: string) => void lines.push({ ...fields, level, message });
  const logger: Logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child: () => logger };
  return logger;
}

export function describeRigAgent(): AgentDescription {
  const configurations = { dhcp_driver: "fake" };
  return {
    agentType: "DHCP agent",
    binary: "test",
    host: rigHost,
    bootId: "boot",
    availabilityZone: "nova",
    startedAtMs: 1,
    configurations,
  };
}

/** Many turns of the event loop: enough for a sync of several pages and the reconciles after it. */
export async function turnLoop(turns = 60): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class AgentRig {
  readonly clock = new FakeClock();
  readonly hub = new FakeHub();
  readonly host = new FakeHost();
  readonly server: FakeServer;
  readonly lines: LogLine[] = [];
  readonly driver = new FakeDhcpDriver(this.host);
  readonly deviceManager = new FakeDeviceManager(this.host, rigHost);
  readonly metadata = new FakeMetadata();
  readonly cache = new NetworkCache({ clock: this.clock });
  readonly bus: FakeBus;
  readonly agent: DhcpAgent;
  readonly consumer: StreamConsumer;
  readonly reporter: StatusReporter;
  readonly api: DhcpPluginApi;
  readonly fence: SelfFence | undefined;

  /** @param before an earlier agent's rig, whose host and server go on. */
  constructor(options: { readonly pageSize?: number; readonly before?: AgentRig; readonly fenceAfterMs?: number } = {}) {
    const { before, pageSize } = options;
    if (before !== undefined) {
      this.hub = before.hub;
      this.host = before.host;
      this.driver = new FakeDhcpDriver(this.host);
      this.deviceManager = new FakeDeviceManager(this.host, rigHost);
    }
    this.server =
      before?.server ??
      new FakeServer({ bus: this.hub.connect(), host: rigHost, ...(pageSize === undefined ? {} : { pageSize }) });
    this.bus = this.hub.connect();
    const { clock, bus } = this;
    const log = recordingLogger(this.lines);
    const api = new DhcpPluginApi({ bus, host: rigHost });
    this.api = api;
    this.reporter = new StatusReporter({ send: (report) => api.reportStatus(report), timers: clock, log, random: () => 0.5 });
    this.agent = new DhcpAgent({
      ...{ cache: this.cache, driver: this.driver, deviceManager: this.deviceManager, api, reporter: this.reporter },
      ...{ host: rigHost, metadata: this.metadata, clock, timers: clock, log, concurrency: 4, random: () => 0.5 },
    });
    this.consumer = new StreamConsumer({
      ...{ bus, role: "dhcp" as const, host: rigHost, sink: this.agent, describe: describeRigAgent },
      ...{ clock, timers: clock, log, random: () => 0.5 },
      sync: (request) => api.sync(request),
      onSynced: () => this.fence?.onSynced(),
    });
    const { agent, consumer } = this;
    if (options.fenceAfterMs !== undefined) {
      this.fence = new SelfFence({
        ...{ fenceAfterMs: options.fenceAfterMs, agent, clock, timers: clock, log },
        renew: (timeoutMs) => api.renewServing(timeoutMs),
        requestSync: (reason) => consumer.requestSync(reason),
      });
    }
    if (before === undefined) this.server.start();
  }

  async start(): Promise<void> {
    this.agent.start();
    this.consumer.start();
    this.fence?.start();
    await turnLoop();
  }

  /** The process is gone from one line to the next; what it made stays. */
  async kill(): Promise<void> {
    this.fence?.close();
    this.consumer.close();
    await this.bus.close();
    await this.agent.close();
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await turnLoop();
  }

  log(message: string): readonly LogLine[] {
    return this.lines.filter((line) => line.message === message);
  }
}
