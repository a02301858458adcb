// What the floating-IP agent asks of a server, typed. Answers are checked before anybody trusts them.
import { NetloomError } from "../base/errors.ts";
import type { Bus } from "../messaging/bus.ts";
import { rpcSubject, statusSubject } from "../messaging/subjects.ts";
import type { SyncRequest } from "../types/agent-messages.ts";
import { type FloatingIpStatusReport, type FloatingIpSyncReply, floatingIpSyncReplySchema } from "../types/l3-messages.ts";

const timeoutMs = 10_000;

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
    const reply = await this.#bus.request(rpcSubject("fip", "sync", this.#host), request, { timeoutMs });
    const checked = floatingIpSyncReplySchema.safeParse(reply);
    if (checked.success) return checked.data;
    const [issue] = checked.error.issues;
    throw new NetloomError("INVALID", "the server's answer to sync is not understood", {
      at: issue?.path.join("."),
      reason: issue?.message,
    });
  }

  /** Resolves when the server has stored the report. */
  async reportStatus(report: FloatingIpStatusReport): Promise<void> {
    await this.#bus.request(statusSubject("fip", this.#host), report, { timeoutMs });
  }
}
