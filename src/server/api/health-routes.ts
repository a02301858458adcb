// For supervisors and monitoring: alive, ready, figures.
import type { FastifyInstance } from "fastify";
import { ApiFault } from "../../types/api-faults.ts";
import type { ApiDeps } from "./api-deps.ts";

export function registerHealth(app: FastifyInstance, { version, readiness, metrics }: ApiDeps): void {
  const method = ["GET", "HEAD"];
  const config = (summary: string) => ({ access: "everybody", operation: { summary } }) as const;
  app.route({
    method,
    url: "/healthz",
    config: config("Whether the server runs"),
    handler: async () => ({ status: "ok", version }),
  });
  app.route({
    method,
    url: "/readyz",
    config: config("Whether it can serve"),
    handler: async (_request, reply) => {
      const checks = readiness();
      const isReady = checks.every((check) => check.ok);
      return reply.code(isReady ? 200 : 503).send({ status: isReady ? "ready" : "not ready", checks });
    },
  });
  app.route({
    method: "GET",
    url: "/metrics",
    config: { access: "local", operation: { summary: "Figures for Prometheus" } },
    handler: async (_request, reply) => {
      if (metrics === undefined) throw new ApiFault("HTTPNotFound", "This server keeps no metrics.");
      return reply.type("text/plain; version=0.0.4; charset=utf-8").send(await metrics());
    },
  });
}
