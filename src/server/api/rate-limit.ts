// No caller keeps all others waiting: who asks more often than it may is told when to come back.
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Clock } from "../../base/clock.ts";
import { type RateLimit, RateLimiter } from "../../base/rate-limit.ts";
import { ApiFault } from "../../types/api-faults.ts";

/** Must be installed after the identity. Paths for everybody, as /healthz, are not counted. */
export function installRateLimit(app: FastifyInstance, limit: RateLimit, clock: Clock): void {
  if (limit.perSecond === 0) return;
  const limiter = new RateLimiter(limit);
  // Until then one more request is due.
  const retryAfter = String(Math.max(1, Math.ceil(1 / limit.perSecond)));
  app.addHook("onRequest", async (request, reply) => {
    if (request.routeOptions.config.access !== undefined) return;
    if (limiter.take(callerOf(request), clock.monotonicMs())) return;
    reply.header("retry-after", retryAfter);
    throw new ApiFault("HTTPTooManyRequests", `More than ${limit.perSecond} requests per second: try again later.`);
  });
}

/** A project's users share nothing; without users it is the address that asks. */
function callerOf({ identity, ip }: FastifyRequest): string {
  const { userId = "" } = identity ?? {};
  return userId === "" ? ip : `user ${userId}`;
}
