// How handlers run, whatever carries the messages: inside the sender's trace, in order, and never taking the bus down.
import type { Logger } from "../base/logger.ts";
import { createTrace, parseTraceparent, withTrace } from "../base/trace-context.ts";
import type { BusMessage } from "./bus.ts";
import { errorReply, type Reply } from "./envelope.ts";

/** Runs `work` in a child span of the sender's, or in a new trace when the sender had none. */
export function runInTrace<T>(traceparent: string | undefined, work: () => T): T {
  const own = createTrace();
  const parent = parseTraceparent(traceparent);
  return withTrace(parent === undefined ? own : { traceId: parent.traceId, spanId: own.spanId }, work);
}

/** Hands messages over one after the other: the next one waits for the promise of the one before. */
export function orderedHandler(
  handler: (message: BusMessage) => void | Promise<void>,
  log: Logger,
): (message: BusMessage) => void {
  let tail: Promise<void> = Promise.resolve();
  return (message) => {
    tail = tail.then(async () => {
      try {
        await runInTrace(message.traceparent, () => handler(message));
      } catch (err) {
        log.error({ err, subject: message.subject }, "message handler failed");
      }
    });
  };
}

/** Never rejects: what the handler throws is the reply. */
export async function answer(
  handler: (message: BusMessage) => Promise<unknown>,
  message: BusMessage,
  log: Logger,
): Promise<Reply> {
  return runInTrace(message.traceparent, async () => {
    try {
      return { ok: true, result: await handler(message) };
    } catch (thrown) {
      return errorReply(thrown, message.subject, log);
    }
  });
}
