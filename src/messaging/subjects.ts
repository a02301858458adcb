// The only place that makes NATS subjects. A host becomes one lower-case token, so that permissions can name it.
import type { AgentEvent } from "../types/agent-messages.ts";

export type Role = "dhcp" | "l3" | "fip";

const token = /^[a-z0-9_-]{1,128}$/;

/** `Node-1.example` → `node-1_example`. Throws RangeError for a name that cannot be a token. */
export function hostToken(host: string): string {
  const text = host.toLowerCase().replaceAll(".", "_");
  if (!token.test(text)) throw new RangeError(`host ${JSON.stringify(host)} cannot be used in a NATS subject`);
  return text;
}

export const rpcSubject = (role: Role, method: string, host: string): string => `nl.rpc.${role}.${method}.${hostToken(host)}`;
export const eventSubject = (role: Role, host: string): string => `nl.ev.${role}.${hostToken(host)}`;
export const controlSubject = (role: Role, host: string): string => `nl.ev.${role}.${hostToken(host)}.ctl`;
export const heartbeatSubject = (role: Role, host: string): string => `nl.hb.${role}.${hostToken(host)}`;
export const statusSubject = (role: Role, host: string): string => `nl.st.${role}.${hostToken(host)}`;
/** A server asks one agent. */
export const askSubject = (role: Role, question: string, host: string): string =>
  `nl.ask.${role}.${question}.${hostToken(host)}`;
export const inboxPrefix = (role: Role, host: string): string => `_INBOX_${role}_${hostToken(host)}`;
/** For users outside of netloom; the body is `{<resources>: […]}`, as the API shows them. */
export const notifySubject = (resource: "lease", action: "create" | "update" | "delete"): string =>
  `nl.notify.${resource}.${action}`;
/** Of every object of the API: `nl.notify.port.create.end`. */
export const objectNotifySubject = (
  resource: string,
  action: "create" | "update" | "delete",
  moment: "start" | "end",
): string => `nl.notify.${resource}.${action}.${moment}`;
export const agentNotifySubject = (event: AgentEvent["kind"]): string => `nl.notify.agent.${event}`;

export const serverInboxPrefix = "_INBOX_server";
/** Of users who follow notifications and do nothing else. */
export const observerInboxPrefix = "_INBOX_observer";

export const serverQueue = "srv";
export const agentQueue = "agent";
export const anyHost = {
  rpc: (role: Role, method: string): string => `nl.rpc.${role}.${method}.*`,
  heartbeat: "nl.hb.*.*",
  status: (role: Role): string => `nl.st.${role}.*`,
};

/** The host token of `nl.rpc.<role>.<method>.<host>`, `nl.st.<role>.<host>` or `nl.hb.<role>.<host>`: who the broker says is speaking. */
export function speakerOf(subject: string): string {
  return subject.slice(subject.lastIndexOf(".") + 1);
}
