// What agents may ask: parse, see who speaks, call a service, present. Who speaks is the last token of the subject, which the
// broker's permissions vouch for; what a body says about its host is only ever compared with it.
import type { Logger } from "../../base/logger.ts";
import type { Bus, BusMessage, BusSubscription } from "../../messaging/bus.ts";
import { anyHost, controlSubject, type Role, speakerOf } from "../../messaging/subjects.ts";
import {
  claimPortRequestSchema,
  type ControlMessage,
  heartbeatSchema,
  networkRequestSchema,
  releasePortRequestSchema,
  statusReportSchema,
  syncRequestSchema,
} from "../../types/agent-messages.ts";
import type { AgentRegistration } from "../services/agent-registration.ts";
import type { AgentServing } from "../services/agent-serving.ts";
import type { AgentStatus } from "../services/agent-status.ts";
import type { AgentSync } from "../services/agent-sync.ts";
import type { DhcpPortClaims } from "../services/dhcp-port-claims.ts";
import type { HeartbeatService } from "../services/heartbeat-service.ts";
import { Admission, admitFirst } from "./admission.ts";
import { checkSpeaker, parseMessage, servingOn } from "./rpc-errors.ts";

export interface AgentRpcDeps {
  readonly bus: Bus;
  readonly log: Logger;
  readonly registration: AgentRegistration;
  readonly sync: AgentSync;
  readonly claims: DhcpPortClaims;
  readonly serving: AgentServing;
  readonly status: AgentStatus;
  readonly heartbeats: HeartbeatService;
  readonly syncsAtOnce?: number;
}

const role = "dhcp";

/** Serves until what it answers is closed. */
export function serveAgents(deps: AgentRpcDeps): BusSubscription {
  const { bus, sync, claims, registration } = deps;
  const admission = new Admission({ limit: deps.syncsAtOnce ?? 8, retryAfterMs: 500 });
  const serve = servingOn(bus);
  const subscriptions = [
    serve(anyHost.rpc(role, "sync"), ({ subject, data }) => {
      const request = parseMessage(syncRequestSchema, data, subject);
      checkSpeaker(subject, request.agent.host);
      return admitFirst(admission, request, () => sync.sync(role, request));
    }),
    serve(anyHost.rpc(role, "getNetworkInfo"), async ({ subject, data }) => {
      const { networkId } = parseMessage(networkRequestSchema, data, subject);
      return { items: await sync.getNetworkInfo(await registration.requireAgent(role, speakerOf(subject)), networkId) };
    }),
    serve(anyHost.rpc(role, "claimDhcpPort"), async ({ subject, data }) => {
      const request = parseMessage(claimPortRequestSchema, data, subject);
      const claimed = await claims.claim(await registration.requireAgent(role, speakerOf(subject)), request);
      return claimed ?? { port: null };
    }),
    serve(anyHost.rpc(role, "releaseDhcpPort"), async ({ subject, data }) => {
      const { networkId } = parseMessage(releasePortRequestSchema, data, subject);
      await claims.release(await registration.requireAgent(role, speakerOf(subject)), networkId);
      return {};
    }),
    serve(anyHost.rpc(role, "renewServing"), async ({ subject }) =>
      deps.serving.renew(await registration.requireAgent(role, speakerOf(subject))),
    ),
    serve(anyHost.status(role), async ({ subject, data }) => {
      const report = parseMessage(statusReportSchema, data, subject);
      await deps.status.store(await registration.requireAgent(role, speakerOf(subject)), report);
      return {};
    }),
    bus.subscribe(anyHost.heartbeat, (message) => receiveHeartbeat(deps, message)),
  ];
  return { close: () => subscriptions.forEach((subscription) => subscription.close()) };
}

async function receiveHeartbeat({ heartbeats, log }: AgentRpcDeps, { subject, data }: BusMessage): Promise<void> {
  try {
    const heartbeat = parseMessage(heartbeatSchema, data, subject);
    checkSpeaker(subject, heartbeat.agent.host);
    await heartbeats.receive(subject.split(".")[2] ?? "", heartbeat);
  } catch (err) {
    log.warn({ err, subject }, "heartbeat dropped");
  }
}

/** Tells one agent; what is lost while disconnected is found by the agent's sync after the reconnect. */
export function controlSender(
  bus: Bus,
  log: Logger,
): (stream: { readonly role: string; readonly host: string }, message: ControlMessage) => void {
  return ({ role: to, host }, message) => {
    try {
      // The cast: rows of agents have a role that subjects know.
      bus.publish(controlSubject(to as Role, host), message);
    } catch (err) {
      log.debug({ err, host }, "control message not sent");
    }
  };
}
