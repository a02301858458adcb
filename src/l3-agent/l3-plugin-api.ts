// What the L3 agent asks of a server, typed. Answers are checked before anybody trusts them.
import type { z } from "zod";
import { NetloomError } from "../base/errors.ts";
import type { Bus } from "../messaging/bus.ts";
import { rpcSubject, statusSubject } from "../messaging/subjects.ts";
import type { NetworkView } from "../model/network.ts";
import { type ServingReply, servingReplySchema } from "../types/agent-serving.ts";
import {
  findInstanceReplySchema,
  type FindInstanceRequest,
  type RouterStatusReport,
  type RouterSyncReply,
  routerSyncReplySchema,
  type RouterSyncRequest,
} from "../types/l3-messages.ts";

const usualTimeoutMs = 10_000;

/** Every call rejects with the server's NetloomError, or UNAVAILABLE or TIMEOUT when no server answers. */
export class L3PluginApi {
  readonly #bus: Bus;
  readonly #host: string;
  #requests = 0;

  constructor({ bus, host }: { readonly bus: Bus; readonly host: string }) {
    this.#bus = bus;
    this.#host = host;
  }

  /** How often a server was asked something, reports included. */
  get requests(): number {
    return this.#requests;
  }

  /** One page of what happened since `request.since`. The first call of a process also registers the agent. */
  async sync(request: RouterSyncRequest): Promise<RouterSyncReply> {
    return this.#call("sync", request, routerSyncReplySchema);
  }

  /** Networks of the router on which a port has that address, each with the ports of its instance. */
  async findInstance(request: FindInstanceRequest): Promise<readonly NetworkView[]> {
    return (await this.#call("findInstance", request, findInstanceReplySchema)).views;
  }

  /** How long ago a server has heard this agent, and who could serve in its place. */
  async renewServing(timeoutMs: number): Promise<ServingReply> {
    return this.#call("renewServing", {}, servingReplySchema, timeoutMs);
  }

  /** Resolves when the server has stored the report. */
  async reportStatus(report: RouterStatusReport): Promise<void> {
    await this.#ask(statusSubject("l3", this.#host), report);
  }

  async #ask(subject: string, body: object, timeoutMs = usualTimeoutMs): Promise<unknown> {
    this.#requests += 1;
    return this.#bus.request(subject, body, { timeoutMs });
  }

  async #call<T>(method: string, request: object, schema: z.ZodType<T>, timeoutMs?: number): Promise<T> {
    const reply = await this.#ask(rpcSubject("l3", method, this.#host), request, timeoutMs);
    const checked = schema.safeParse(reply);
    if (checked.success) return checked.data;
    const [issue] = checked.error.issues;
    const detail = { at: issue?.path.join("."), reason: issue?.message };
    throw new NetloomError("INVALID", `the server's answer to ${method} is not understood`, detail);
  }
}
