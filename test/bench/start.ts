// `netloom up` (what `npm start` runs) from the start of the process to its ready line on an empty state directory, and the
// memory of its programs with ten networks of ten ports.
import { readFile } from "node:fs/promises";
import { NetloomUp, type Program } from "../helpers/netloom-up.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { percentile, report } from "./report.ts";

async function residentMegabytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

const starts: number[] = [];
// The first start warms the file cache and the compile cache; it is not counted.
for (let run = 0; run < 6; run += 1) {
  const up = await NetloomUp.create();
  try {
    await up.start();
    if (run > 0) starts.push(up.readyMs);
  } finally {
    await up.destroy();
  }
}

const up = await NetloomUp.create();
const memory: Partial<Record<Program, number>> = {};
try {
  await up.start();
  const client = up.client();
  for (let index = 0; index < 10; index += 1) {
    const network = await client.create("network", { name: `n${index}` });
    await client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/24" });
    const ports = Array.from({ length: 10 }, () => ({ network_id: network.id }));
    await client.request("POST", "/v2.0/ports", { ports });
  }
  await waitFor(async () => (await client.list("port", "?status=DOWN")).length === 0, {
    limitMs: 30_000,
    what: "all ports ACTIVE",
  });
  for (const program of ["server", "dhcp-agent", "nats-server"] as const) {
    memory[program] = await residentMegabytes(await up.findProgram(program));
  }
  client.close();
} finally {
  await up.destroy();
}
report("start", [
  { figure: "start to ready, ms", min: Math.min(...starts), median: percentile(starts, 50), max: Math.max(...starts) },
  ...Object.entries(memory).map(([program, megabytes]) => ({
    figure: `${program}, MB resident`,
    min: megabytes,
    median: megabytes,
    max: megabytes,
  })),
]);
