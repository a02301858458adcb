// Asks an agent over the bus how its networks, or its routers, are.
import { type ErrorCode, NetloomError } from "../../base/errors.ts";
import type { Bus } from "../../messaging/bus.ts";
import { askSubject } from "../../messaging/subjects.ts";
import { agentStateSchema, routerAgentStateSchema } from "../../types/agent-state.ts";
import type { AskAgent, AskFailure } from "../services/agent-states.ts";

/** An agent answers from memory: one that takes longer hangs, or is gone without a word. */
const defaultTimeoutMs = 3000;

const failures: Readonly<Partial<Record<ErrorCode, AskFailure>>> = {
  UNAVAILABLE: "absent",
  TIMEOUT: "silent",
  FORBIDDEN: "forbidden",
};

export function agentAsker(bus: Pick<Bus, "request" | "isConnected">, timeoutMs = defaultTimeoutMs): AskAgent {
  return async ({ role, host }, page) => {
    if (!bus.isConnected) return "disconnected";
    try {
      const reply = await bus.request(askSubject(role, "state", host), page, { timeoutMs });
      return (role === "dhcp" ? agentStateSchema : routerAgentStateSchema).safeParse(reply).data ?? "confused";
    } catch (thrown) {
      if (!(thrown instanceof NetloomError)) throw thrown;
      if (!bus.isConnected) return "disconnected";
      return failures[thrown.code] ?? "confused";
    }
  };
}
