// What the floating-IP agent asks of a server, typed. Answers are checked before anybody trusts them.
import type { z } from "zod";
import { NetloomError } from "../base/errors.ts";
import type { Bus } from "../messaging/bus.ts";
import { rpcSubject, statusSubject } from "../messaging/subjects.ts";
import type { SyncRequest } from "../types/agent-messages.ts";
import { type ServingReply, servingReplySchema } from "../types/agent-serving.ts";
import { type FloatingIpStatusReport, type FloatingIpSyncReply, floatingIpSyncReplySchema } from "../types/l3-messages.ts";

const usualTimeoutMs = 10_000;

/** Every call rejects with the server's NetloomError, or UNAVAILABLE or TIMEOUT when no server answers. */
export class FloatingIpPluginApi {
  readonly #bus: Bus;
  readonly #host: string;

  constructor(parts: { readonly bus: Bus; readonly host: string }) {
    this.#bus = parts.bus;
    this.#host = parts.host;
  }

  /** One page of what happened since `request.since`. The first call of a process also registers the agent. */
  async sync(request: SyncRequest): Promise<FloatingIpSyncReply> {
    return this.#call("sync", request, floatingIpSyncReplySchema);
  }

  /** How long ago a server has heard this agent, and who could serve in its place. */
  async renewServing(timeoutMs: number): Promise<ServingReply> {
    return this.#call("renewServing", {}, servingReplySchema, timeoutMs);
  }

  /** Resolves when the server has stored the report. */
  async reportStatus(report: FloatingIpStatusReport): Promise<void> {
    await this.#bus.request(statusSubject("fip", this.#host), report, { timeoutMs: usualTimeoutMs });
  }

  async #call<T>(method: string, request: object, schema: z.ZodType<T>, timeoutMs = usualTimeoutMs): Promise<T> {
    const reply = await this.#bus.request(rpcSubject("fip", method, this.#host), request, { timeoutMs });
    const checked = schema.safeParse(reply);
    if (checked.success) return checked.data;
    const [issue] = checked.error.issues;
    const detail = { at: issue?.path.join("."), reason: issue?.message };
    throw new NetloomError("INVALID", `the server's answer to ${method} is not understood`, detail);
  }
}
