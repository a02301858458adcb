// How each network of a DHCP agent is: by the server, which asks the agent; on the agent's own host also without it.
import http from "node:http";
import { join } from "node:path";
import { agentStateSchema } from "../types/agent-state.ts";
import type { ApiClient, ApiObject } from "./api-client.ts";
import { CommandFailure } from "./exit-codes.ts";

const socketTimeoutMs = 2000;

export interface AgentStatus {
  /** `starting`, `syncing`, `ready` or `stopping`. */
  readonly phase: unknown;
  readonly networks: readonly ApiObject[];
}

export interface AskedAgent {
  readonly id: string;
  readonly host: string;
  /** Of this host; its agent is asked when the server cannot. */
  readonly stateDir: string;
}

export async function readAgentStatus(
  client: ApiClient,
  { id, host, stateDir }: AskedAgent,
): Promise<AgentStatus | { readonly missing: string }> {
  try {
    return await client.showAgentStatus(id);
  } catch (thrown) {
    if (!(thrown instanceof CommandFailure)) throw thrown;
    return (await readFromSocket(stateDir, host)) ?? { missing: thrown.message };
  }
}

/** `undefined` where no agent answers, or that of another host. */
async function readFromSocket(stateDir: string, host: string): Promise<AgentStatus | undefined> {
  const state = parseState(await readSocket(join(stateDir, "run", "dhcp-agent.sock")));
  if (state?.host !== host) return undefined;
  const networks = state.networks.map((network) => ({
    network_id: network.networkId,
    state: network.state,
    reason: network.reason,
    ports: network.ports,
    outcome: network.outcome,
    last_reconcile_at: network.lastReconcileAt,
    last_reconcile_ms: network.lastReconcileMs,
  }));
  return { phase: state.phase, networks };
}

function readSocket(socketPath: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const request = http.get({ socketPath, path: "/status", timeout: socketTimeoutMs, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("error", () => resolve(undefined));
    response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
  request.on("timeout", () => request.destroy());
  request.on("error", () => resolve(undefined));
  return promise;
}

function parseState(text: string | undefined) {
  try {
    return agentStateSchema.safeParse(JSON.parse(text ?? "")).data;
  } catch {
    return undefined;
  }
}
