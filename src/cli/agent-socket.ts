// What the DHCP agent of this host says on its own socket: more of each network than it tells the server.
import http from "node:http";
import { join } from "node:path";
import { z } from "zod";

const statusSchema = z.object({
  host: z.string(),
  phase: z.string(),
  networks: z.record(
    z.string(),
    z.object({
      state: z.string(),
      reason: z.string().nullable(),
      ports: z.number(),
      outcome: z.string().nullable(),
      lastReconcileMs: z.number(),
      lastReconcileAt: z.string(),
    }),
  ),
});
export type AgentSocketStatus = z.infer<typeof statusSchema>;

const timeoutMs = 2000;

/** `undefined` where no agent answers, or one that says something else. */
export async function readAgentStatus(stateDir: string): Promise<AgentSocketStatus | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socketPath = join(stateDir, "run", "dhcp-agent.sock");
  const request = http.get({ socketPath, path: "/status", timeout: timeoutMs, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("error", () => resolve(undefined));
    response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
  request.on("timeout", () => request.destroy());
  request.on("error", () => resolve(undefined));
  return parseStatus(await promise);
}

function parseStatus(text: string | undefined): AgentSocketStatus | undefined {
  try {
    return statusSchema.safeParse(JSON.parse(text ?? "")).data;
  } catch {
    return undefined;
  }
}
