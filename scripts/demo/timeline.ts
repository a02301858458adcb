// What happened between POST /ports and the lease, in milliseconds after the request was sent.
import { readFile } from "node:fs/promises";

export interface Moment {
  readonly what: string;
  readonly atMs: number;
}

export function printTimeline(moments: readonly Moment[], startMs: number): void {
  const lines = moments.map(({ what, atMs }) => `  ${(atMs - startMs).toFixed(0).padStart(6)} ms  ${what}`);
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** When the agent began to work on the change with this trace: its log line says when it ended and how long it took. */
export async function readAgentMoment(logFile: string, traceId: string): Promise<number | undefined> {
  const text = await readFile(logFile, "utf8").catch(() => "");
  for (const line of text.split("\n")) {
    if (!line.includes(traceId) || !line.includes('"network reconciled"')) continue;
    const entry = JSON.parse(line) as { readonly time: string; readonly ms: number };
    return Date.parse(entry.time) - entry.ms;
  }
  return undefined;
}
