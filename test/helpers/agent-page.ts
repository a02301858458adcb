// What an agent says of itself on its socket: `metrics`, `status`, `readyz`.
import http from "node:http";
import { join } from "node:path";

export type PageProgram = "dhcp-agent" | "l3-agent" | "floating-ip-agent";

/** Rejects while the agent is not there. */
export async function readAgentPage(stateDir: string, program: PageProgram, name: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = http.get({ socketPath: join(stateDir, "run", `${program}.sock`), path: `/${name}` }, (answer) => {
    let text = "";
    answer.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    answer.on("end", () => resolve(text));
  });
  request.on("error", reject);
  return promise;
}

/** A figure without labels. */
export function figureIn(page: string, name: string): number {
  const line = page.split("\n").find((one) => one.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no figure ${name}`);
  return Number(line.split(" ").at(-1));
}
