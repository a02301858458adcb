// An agent's end of the wire without an agent behind it: asks, and keeps what it is sent.
import type { Bus } from "../../src/messaging/bus.ts";
import { controlSubject, eventSubject, heartbeatSubject, rpcSubject, statusSubject } from "../../src/messaging/subjects.ts";
import {
  type AgentDescription,
  type ControlMessage,
  controlMessageSchema,
  type Heartbeat,
  type StreamItem,
  type StreamMessage,
  streamMessageSchema,
  type SyncReply,
  syncReplySchema,
} from "../../src/types/agent-messages.ts";

export class RawAgent {
  readonly bus: Bus;
  readonly host: string;
  readonly messages: StreamMessage[] = [];
  readonly controls: ControlMessage[] = [];
  bootId = "boot-1";
  availabilityZone = "nova";
  /** Networks that this host serves; sent along when there are any. */
  inventory: readonly string[] = [];

  constructor(bus: Bus, host: string) {
    this.bus = bus;
    this.host = host;
    bus.subscribe(eventSubject("dhcp", host), ({ data }) => void this.messages.push(streamMessageSchema.parse(data)));
    bus.subscribe(controlSubject("dhcp", host), ({ data }) => void this.controls.push(controlMessageSchema.parse(data)));
  }

  get description(): AgentDescription {
    return {
      agentType: "DHCP agent",
      binary: "raw-agent",
      host: this.host,
      bootId: this.bootId,
      availabilityZone: this.availabilityZone,
      startedAtMs: 1_700_000_000_000,
      configurations: { dhcp_driver: "none" },
    };
  }

  /** All items of all messages so far, in the order of arrival. */
  get items(): readonly StreamItem[] {
    return this.messages.flatMap(({ items }) => items);
  }

  call(method: string, body: object): Promise<unknown> {
    return this.bus.request(rpcSubject("dhcp", method, this.host), body, { timeoutMs: 5000 });
  }

  async sync(
    from: { readonly epoch: string; readonly since: number; readonly cursor?: string } = { epoch: "", since: 0 },
  ): Promise<SyncReply> {
    return syncReplySchema.parse(await this.call("sync", { agent: this.description, ...from, ...this.#served }));
  }

  get #served(): object {
    return this.inventory.length === 0 ? {} : { inventory: this.inventory };
  }

  report(report: object): Promise<unknown> {
    return this.bus.request(statusSubject("dhcp", this.host), report, { timeoutMs: 5000 });
  }

  beat(seen: Heartbeat["seen"], phase: Heartbeat["phase"] = "ready", sentAtMs?: unknown): void {
    this.bus.publish(heartbeatSubject("dhcp", this.host), {
      agent: this.description,
      sentAtMs,
      phase,
      progress: { done: 0, total: 0 },
      seen,
      load: { networks: 3, subnets: 2, ports: 1, dirty: 0, oldestDirtyMs: 0 },
    });
  }
}
