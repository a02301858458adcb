// The end of the wire of an L3 agent or a floating-IP agent, without an agent behind it: asks, and keeps what it is sent.
import { z } from "zod";
import type { Bus } from "../../src/messaging/bus.ts";
import { controlSubject, eventSubject, heartbeatSubject, rpcSubject, statusSubject } from "../../src/messaging/subjects.ts";
import type { FloatingIp, PortForwarding, Router } from "../../src/model/router.ts";
import {
  type AgentDescription,
  type ControlMessage,
  controlMessageSchema,
  type Heartbeat,
  streamMessageSchema,
  syncReplySchema,
} from "../../src/types/agent-messages.ts";
import { type FloatingIpItem, floatingIpItemSchema, type RouterItem, routerItemSchema } from "../../src/types/l3-messages.ts";
import { waitFor } from "./wait-for.ts";

const itemsOf = { l3: z.array(routerItemSchema), fip: z.array(floatingIpItemSchema) } as const;

export interface L3Items {
  readonly l3: RouterItem;
  readonly fip: FloatingIpItem;
}

export interface L3Reply<Item> {
  readonly mode: "delta" | "snapshot";
  readonly epoch: string;
  readonly seq: number;
  readonly items: readonly Item[];
  readonly next?: string | undefined;
}

type SyncFrom = { readonly epoch: string; readonly since: number; readonly cursor?: string };

export class RawL3Agent<R extends "l3" | "fip"> {
  readonly role: R;
  readonly bus: Bus;
  readonly host: string;
  readonly messages: { readonly seq: number; readonly prev: number; readonly items: readonly L3Items[R][] }[] = [];
  readonly controls: ControlMessage[] = [];
  bootId = "boot-1";
  availabilityZone = "nova";
  configurations: Readonly<Record<string, unknown>> = { agent_mode: "legacy" };
  /** Routers that this host has; sent along when there are any. */
  inventory: readonly string[] = [];

  constructor(bus: Bus, role: R, host: string) {
    this.bus = bus;
    this.role = role;
    this.host = host;
    bus.subscribe(eventSubject(role, host), ({ data }) => {
      const { seq, prev } = streamMessageSchema.omit({ items: true }).parse(data);
      this.messages.push({ seq, prev, items: this.#items(data) });
    });
    bus.subscribe(controlSubject(role, host), ({ data }) => void this.controls.push(controlMessageSchema.parse(data)));
  }

  get description(): AgentDescription {
    const { host, bootId, availabilityZone, configurations } = this;
    const agentType = this.role === "l3" ? "L3 agent" : "Floating IP agent";
    return { agentType, binary: "raw-agent", host, bootId, availabilityZone, startedAtMs: 1_700_000_000_000, configurations };
  }

  /** All items of all messages so far, in the order of arrival. */
  get items(): readonly L3Items[R][] {
    return this.messages.flatMap(({ items }) => items);
  }

  call(method: string, body: object): Promise<unknown> {
    return this.bus.request(rpcSubject(this.role, method, this.host), body, { timeoutMs: 5000 });
  }

  async sync(from: SyncFrom = { epoch: "", since: 0 }): Promise<L3Reply<L3Items[R]>> {
    const inventory = this.inventory.length === 0 ? {} : { inventory: this.inventory };
    const data = await this.call("sync", { agent: this.description, ...from, ...inventory });
    return { ...syncReplySchema.omit({ items: true }).parse(data), items: this.#items(data) };
  }

  /** Every page of a snapshot. */
  async snapshot(): Promise<readonly L3Items[R][]> {
    const items: L3Items[R][] = [];
    let reply = await this.sync();
    items.push(...reply.items);
    while (reply.next !== undefined) {
      reply = await this.sync({ epoch: reply.epoch, since: 0, cursor: reply.next });
      items.push(...reply.items);
    }
    return items;
  }

  /** The first item from `from` on that `matches`. */
  heard(matches: (item: L3Items[R]) => boolean, what: string, from = 0): Promise<L3Items[R]> {
    return waitFor(() => this.items.slice(from).find(matches), { limitMs: 10_000, what });
  }

  report(report: object): Promise<unknown> {
    return this.bus.request(statusSubject(this.role, this.host), report, { timeoutMs: 5000 });
  }

  beat(seen: Heartbeat["seen"], phase: Heartbeat["phase"] = "ready"): void {
    this.bus.publish(heartbeatSubject(this.role, this.host), {
      agent: this.description,
      phase,
      progress: { done: 0, total: 0 },
      seen,
      load: { networks: 0, subnets: 0, ports: 0, dirty: 0, oldestDirtyMs: 0, routers: 2, floatingIps: 3 },
    });
  }

  #items(data: unknown): readonly L3Items[R][] {
    const { items } = z.object({ items: z.unknown() }).parse(data);
    // The cast: the schema of the role.
    return itemsOf[this.role].parse(items) as unknown as readonly L3Items[R][];
  }
}

/** Of an upsert. */
export function routerIn(item: RouterItem | undefined): Router {
  if (item?.op !== "upsert") throw new Error(`no router in ${JSON.stringify(item)}`);
  return item.body;
}

export function floatingIpIn(item: FloatingIpItem | undefined): FloatingIp {
  if (item?.op !== "upsert" || item.kind !== "floating-ip") throw new Error(`no floating IP in ${JSON.stringify(item)}`);
  return item.body;
}

export function forwardingIn(item: FloatingIpItem | undefined): PortForwarding {
  if (item?.op !== "upsert" || item.kind !== "port-forwarding") throw new Error(`no forwarding in ${JSON.stringify(item)}`);
  return item.body;
}
