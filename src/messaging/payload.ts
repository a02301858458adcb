// JSON in and out of NATS, with the limit of the server told before it would close the connection on us.
import { NetloomError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { errorReply, type Reply } from "./envelope.ts";

const encoder = new TextEncoder();

export function encodePayload(data: unknown, subject: string, maxBytes: number): Uint8Array {
  const bytes = encoder.encode(JSON.stringify(data ?? null));
  if (bytes.byteLength > maxBytes) {
    throw new NetloomError("INVALID", `message for ${subject} has ${bytes.byteLength} bytes, the limit is ${maxBytes}`, {
      bytes: bytes.byteLength,
      maxBytes,
    });
  }
  return bytes;
}

/** Of what `encodePayload` throws. */
export const isTooLarge = (thrown: unknown): boolean => thrown instanceof NetloomError && "maxBytes" in thrown.detail;

export function decodePayload(text: string, subject: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NetloomError("INVALID", `message on ${subject} is not JSON`, {}, cause);
  }
}

/** A result that is too big for one message becomes an error, so that the caller does not wait in vain. */
export function encodeReply(
  reply: Reply,
  context: { readonly subject: string; readonly maxBytes: number; readonly log: Logger },
): Uint8Array {
  const { subject, maxBytes, log } = context;
  try {
    return encodePayload(reply, subject, maxBytes);
  } catch (thrown) {
    return encodePayload(errorReply(thrown, subject, log), subject, maxBytes);
  }
}
