// One message of the script client, checked. Whoever can write to the socket is not believed before this.
import { isIP } from "node:net";
import { z } from "zod";
import { NetloomError } from "../base/errors.ts";
import { canonicalAddress } from "../linux/addresses.ts";
import { isUuid, networkId } from "../model/ids.ts";
import type { LeaseReport } from "../types/agent-messages.ts";

export const messageLimitBytes = 1024;

const notSeconds = "not a number of seconds";

const leaseMessageSchema = z.object({
  event: z.enum(["add", "old", "del"], "not add, old or del").default("old"),
  network_id: z.string("not a network id").refine(isUuid, "not a network id").transform(networkId),
  ip_address: z
    .string("not an IP address")
    .refine((text) => isIP(text) !== 0 && !text.includes("%"), "not an IP address")
    .transform(canonicalAddress),
  /** Seconds; -1: for ever. */
  lease_remaining: z.int(notSeconds).min(-1, notSeconds).max(0xffff_ffff, notSeconds),
  /** Seconds since the epoch: exact also when the message was long under way. */
  lease_expires: z.int(notSeconds).positive(notSeconds).max(0xffff_ffff_ff, notSeconds).optional(),
  mac_address: z
    .string("not a MAC address")
    .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, "not a MAC address")
    .optional(),
  hostname: z
    .string("not a plain name")
    .regex(/^[A-Za-z0-9_.-]{1,253}$/, "not a plain name")
    .optional(),
});

/** Throws INVALID for anything that is not a message of ours, with the reason in one short line. */
export function parseLeaseMessage(text: string, nowMs: number): LeaseReport {
  const message = check(parseJson(text));
  const byRemaining = message.lease_remaining === -1 ? null : nowMs + message.lease_remaining * 1000;
  return {
    event: message.event,
    networkId: message.network_id,
    ipAddress: message.ip_address,
    macAddress: message.mac_address ?? null,
    hostname: message.hostname ?? null,
    expiresAtMs: message.lease_expires === undefined ? byRemaining : message.lease_expires * 1000,
    observedAtMs: nowMs,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NetloomError("INVALID", "not JSON");
  }
}

function check(value: unknown): z.output<typeof leaseMessageSchema> {
  const { success, data, error } = leaseMessageSchema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const key = issue?.path.join(".") ?? "";
  const said = issue?.message.split("\n", 1)[0] ?? "not a lease message";
  throw new NetloomError("INVALID", key === "" ? `not a lease message: ${said}` : `${key}: ${said}`);
}
