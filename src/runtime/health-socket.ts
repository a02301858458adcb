// A program's own HTTP listener on a Unix socket: alive, ready, metrics, and a status for people.
import { chmod, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname } from "node:path";
import { makeDirectories } from "../base/directories.ts";

export interface HealthSource {
  readonly path: string;
  /** `undefined` when ready, else what is missing. */
  notReadyReason(): string | undefined;
  /** Prometheus text. */
  metrics(): Promise<string>;
  status(): unknown;
}

export interface HealthSocket {
  close(): Promise<void>;
}

/**
 * Whoever calls this must already hold the state directory's lock: a socket file that is in the way is a dead one's, and removed.
 */
export async function openHealthSocket(source: HealthSource): Promise<HealthSocket> {
  await makeDirectories(dirname(source.path));
  await rm(source.path, { force: true });
  const server = createServer({ keepAliveTimeout: 1000 }, (request, response) => {
    answer(source, request).then(
      (reply) => send(response, reply),
      (thrown: unknown) => send(response, { status: 500, type: "text/plain", body: `${String(thrown)}\n` }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(source.path, resolve);
  });
  await chmod(source.path, 0o660);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const text = (status: number, body: string): Reply => ({ status, type: "text/plain; charset=utf-8", body: `${body}\n` });

async function answer(source: HealthSource, request: IncomingMessage): Promise<Reply> {
  if (request.method !== "GET" && request.method !== "HEAD") return text(405, "only GET");
  switch (request.url?.split("?")[0]) {
    case "/healthz":
      return text(200, "ok");
    case "/readyz": {
      const reason = source.notReadyReason();
      return reason === undefined ? text(200, "ready") : text(503, reason);
    }
    case "/metrics":
      return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: await source.metrics() };
    case "/status":
      return { status: 200, type: "application/json", body: `${JSON.stringify(source.status())}\n` };
    default:
      return text(404, "try /healthz, /readyz, /metrics or /status");
  }
}

function send(response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, { "content-type": reply.type });
  response.end(reply.body);
}
