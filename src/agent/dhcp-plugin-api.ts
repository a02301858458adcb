// What the DHCP agent asks of a server, typed: the agent's side of the RPC. Answers are checked before anybody trusts them.
import type { z } from "zod";
import { NetloomError } from "../base/errors.ts";
import type { Bus } from "../messaging/bus.ts";
import { rpcSubject, statusSubject } from "../messaging/subjects.ts";
import type { NetworkId } from "../model/ids.ts";
import { servingReplySchema, type ServingReply } from "../types/agent-serving.ts";
import {
  claimPortReplySchema,
  networkReplySchema,
  syncReplySchema,
  type ClaimPortReply,
  type ClaimPortRequest,
  type StatusReport,
  type StreamItem,
  type SyncReply,
  type SyncRequest,
} from "../types/agent-messages.ts";

export interface DhcpPluginApiOptions {
  readonly bus: Bus;
  readonly host: string;
  readonly timeoutMs?: number;
}

/** Every call rejects with the server's NetloomError, or UNAVAILABLE or TIMEOUT when no server answers. */
export class DhcpPluginApi {
  readonly #bus: Bus;
  readonly #host: string;
  readonly #timeoutMs: number;
  #requests = 0;

  constructor(options: DhcpPluginApiOptions) {
    this.#bus = options.bus;
    this.#host = options.host;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
  }

  /** How often a server was asked something, reports included. */
  get requests(): number {
    return this.#requests;
  }

  /** One page of what happened since `request.since`. The first call of a process also registers the agent. */
  async sync(request: SyncRequest): Promise<SyncReply> {
    return this.#call("sync", request, syncReplySchema);
  }

  /** Everything of one network as it is now; empty when it is gone or not this agent's. */
  async getNetworkInfo(networkId: NetworkId): Promise<readonly StreamItem[]> {
    return (await this.#call("getNetworkInfo", { networkId }, networkReplySchema)).items;
  }

  /**
   * This agent's port on the network with an address on each subnet that has one left; `port: null` when a newer event will say
   * what to do instead. CONFLICT when none of the subnets has one.
   */
  async claimDhcpPort(request: ClaimPortRequest): Promise<ClaimPortReply> {
    return this.#call("claimDhcpPort", request, claimPortReplySchema);
  }

  async releaseDhcpPort(networkId: NetworkId): Promise<void> {
    await this.#ask(rpcSubject("dhcp", "releaseDhcpPort", this.#host), { networkId });
  }

  /** Whether a server hears this agent, and whether others could serve its networks. */
  async renewServing(timeoutMs: number): Promise<ServingReply> {
    return this.#call("renewServing", {}, servingReplySchema, timeoutMs);
  }

  /** Resolves when the server has stored the report. */
  async reportStatus(report: StatusReport): Promise<void> {
    await this.#ask(statusSubject("dhcp", this.#host), report);
  }

  async #ask(subject: string, body: object, timeoutMs = this.#timeoutMs): Promise<unknown> {
    this.#requests += 1;
    return this.#bus.request(subject, body, { timeoutMs });
  }

  async #call<T>(method: string, request: object, schema: z.ZodType<T>, timeoutMs?: number): Promise<T> {
    const reply = await this.#ask(rpcSubject("dhcp", method, this.#host), request, timeoutMs);
    const checked = schema.safeParse(reply);
    if (checked.success) return checked.data;
    const [issue] = checked.error.issues;
    throw new NetloomError("INVALID", `the server's answer to ${method} is not understood`, {
      at: issue?.path.join("."),
      reason: issue?.message,
    });
  }
}
