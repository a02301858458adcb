// Faults of the services as agents hear them.
import type { z } from "zod";
import { type ErrorCode, NetloomError } from "../../base/errors.ts";
import type { Bus, BusMessage, BusSubscription } from "../../messaging/bus.ts";
import { hostToken, serverQueue, speakerOf } from "../../messaging/subjects.ts";
import { ApiFault } from "../../types/api-faults.ts";

const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  400: "INVALID",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  409: "CONFLICT",
  412: "CONFLICT",
  503: "UNAVAILABLE",
};

type Serve = (subject: string, handler: (message: BusMessage) => Promise<unknown>) => BusSubscription;

/** Answers requests among all servers, one of them each. */
export const servingOn =
  (bus: Bus): Serve =>
  (subject, handler) =>
    bus.serve(subject, serverQueue, async (message) => {
      try {
        return await handler(message);
      } catch (thrown) {
        throw toRpcError(thrown);
      }
    });

function toRpcError(thrown: unknown): unknown {
  if (!(thrown instanceof ApiFault)) return thrown;
  return new NetloomError(codeOfStatus[thrown.status] ?? "UNAVAILABLE", thrown.message, { type: thrown.type }, thrown);
}

export function parseMessage<T>(schema: z.ZodType<T>, data: unknown, subject: string): T {
  const checked = schema.safeParse(data);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  throw new NetloomError("INVALID", `message on ${subject} is not understood`, {
    at: issue?.path.join("."),
    reason: issue?.message,
  });
}

/** What a body says about its host is only ever compared with who the broker says is speaking. */
export function checkSpeaker(subject: string, host: string): void {
  if (hostTokenOf(host) === speakerOf(subject)) return;
  throw new NetloomError("FORBIDDEN", `${subject} is not a subject of host ${JSON.stringify(host)}`);
}

function hostTokenOf(host: string): string | undefined {
  try {
    return hostToken(host);
  } catch {
    return undefined;
  }
}
