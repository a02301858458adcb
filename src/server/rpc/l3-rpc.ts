// What L3 agents and floating-IP agents may ask and report; who speaks is the last token of the subject, as in agent-rpc.ts.
import type { Bus, BusMessage, BusSubscription } from "../../messaging/bus.ts";
import { anyHost, speakerOf } from "../../messaging/subjects.ts";
import {
  findInstanceRequestSchema,
  floatingIpStatusReportSchema,
  routerStatusReportSchema,
  routerSyncRequestSchema,
} from "../../types/l3-messages.ts";
import type { AgentRegistration } from "../services/agent-registration.ts";
import type { AgentServing } from "../services/agent-serving.ts";
import type { InstanceFinder } from "../services/instance-finder.ts";
import type { L3Status } from "../services/l3-status.ts";
import type { L3Sync } from "../services/l3-sync.ts";
import { Admission, admitFirst } from "./admission.ts";
import { checkSpeaker, parseMessage, servingOn } from "./rpc-errors.ts";

export interface L3RpcDeps {
  readonly bus: Bus;
  readonly registration: AgentRegistration;
  readonly sync: L3Sync;
  readonly serving: AgentServing;
  readonly status: L3Status;
  readonly instances: InstanceFinder;
  readonly syncsAtOnce?: number;
}

/** Serves until what it answers is closed. */
export function serveL3Agents(deps: L3RpcDeps): BusSubscription {
  const { bus, registration, sync, status, instances, syncsAtOnce = 8 } = deps;
  const admission = new Admission({ limit: syncsAtOnce, retryAfterMs: 500 });
  const serve = servingOn(bus);
  const syncRequest = ({ subject, data }: BusMessage) => {
    const request = parseMessage(routerSyncRequestSchema, data, subject);
    checkSpeaker(subject, request.agent.host);
    return request;
  };
  const subscriptions = [
    serve(anyHost.rpc("l3", "sync"), async (message) => {
      const request = syncRequest(message);
      return admitFirst(admission, request, () => sync.syncRouters(request));
    }),
    serve(anyHost.rpc("fip", "sync"), async (message) => {
      const request = syncRequest(message);
      return admitFirst(admission, request, () => sync.syncFloatingIps(request));
    }),
    ...(["l3", "fip"] as const).map((role) =>
      serve(anyHost.rpc(role, "renewServing"), async ({ subject }) =>
        deps.serving.renew(await registration.requireAgent(role, speakerOf(subject))),
      ),
    ),
    serve(anyHost.rpc("l3", "findInstance"), async ({ subject, data }) => {
      const request = parseMessage(findInstanceRequestSchema, data, subject);
      return instances.find(await registration.requireAgent("l3", speakerOf(subject)), request);
    }),
    serve(anyHost.status("l3"), async ({ subject, data }) => {
      const report = parseMessage(routerStatusReportSchema, data, subject);
      await status.storeRouters(await registration.requireAgent("l3", speakerOf(subject)), report);
      return {};
    }),
    serve(anyHost.status("fip"), async ({ subject, data }) => {
      const report = parseMessage(floatingIpStatusReportSchema, data, subject);
      await status.storeFloatingIps(await registration.requireAgent("fip", speakerOf(subject)), report);
      return {};
    }),
  ];
  return { close: () => subscriptions.forEach((subscription) => subscription.close()) };
}
