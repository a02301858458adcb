// One message of the script client, checked. Whoever can write to the socket is not believed before this.
import { isIP } from "node:net";
import { z } from "zod";
import { canonicalAddress } from "../linux/addresses.ts";
import { isUuid, networkId } from "../model/ids.ts";
import type { LeaseReport } from "../types/agent-messages.ts";

export const messageLimitBytes = 1024;

const leaseMessageSchema = z.object({
  event: z.enum(["add", "old", "del"]).default("old"),
  network_id: z.string().refine(isUuid, "not a network id").transform(networkId),
  ip_address: z
    .string()
    .refine((text) => isIP(text) !== 0 && !text.includes("%"), "not an IP address")
    .transform(canonicalAddress),
  /** Seconds; -1: for ever. */
  lease_remaining: z.int().min(-1).max(0xffff_ffff),
  /** Seconds since the epoch: exact also when the message was long under way. */
  lease_expires: z.int().positive().max(0xffff_ffff_ff).optional(),
  mac_address: z
    .string()
    .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)
    .optional(),
  hostname: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,253}$/)
    .optional(),
});

/** Throws for anything that is not a message of ours; the reason is in the error. */
export function parseLeaseMessage(text: string, nowMs: number): LeaseReport {
  const message = leaseMessageSchema.parse(JSON.parse(text));
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
