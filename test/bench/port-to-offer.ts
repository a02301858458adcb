// From "POST /v2.0/ports sent" to the first OFFER that a waiting client gets, over 100 ports, on a network of 10 ports and on
// one of 1,000. The client sends a DISCOVER every 2 ms for a MAC that it chose, so a figure is at most 2 ms too large.
// Both moments are CLOCK_MONOTONIC of one machine.
import { spawnSync } from "node:child_process";
import { DhcpProbe } from "../helpers/dhcp-probe/probe.ts";
import { netloom, NetloomUp } from "../helpers/netloom-up.ts";
import type { RestClient } from "../helpers/rest-client.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { percentile, report, type Row } from "./report.ts";

const rounds = 100;

function run(...argv: readonly [string, ...string[]]): void {
  const [file, ...rest] = argv;
  const result = spawnSync(file, rest, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr}`);
}

async function fill(client: RestClient, network: string, ports: number): Promise<void> {
  for (let made = 0; made < ports; made += 100) {
    const bodies = Array.from({ length: Math.min(100, ports - made) }, () => ({ network_id: network }));
    const answer = await client.request("POST", "/v2.0/ports", { ports: bodies });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  }
  await waitFor(async () => (await client.list("port", `?network_id=${network}&status=DOWN`)).length === 0, {
    limitMs: 60_000,
    what: `${ports} ports ACTIVE`,
  });
}

async function measure(up: NetloomUp, size: number): Promise<Row> {
  const client = up.client();
  const network = await client.create("network", { name: `n${size}` });
  await client.create("subnet", { network_id: network.id, ip_version: 4, cidr: "10.0.0.0/16" });
  await fill(client, network.id, size - 1);
  const instance = await client.create("port", { network_id: network.id, name: `probe-${size}` });
  const namespace = `${up.prefix}probe${size}`;
  run("ip", "netns", "add", namespace);
  try {
    const plugged = await netloom([
      "--url",
      up.url,
      "port",
      "plug",
      instance.id,
      "--netns",
      namespace,
      "--state-dir",
      up.stateDir,
    ]);
    if (plugged.exitCode !== 0) throw new Error(plugged.stderr);
    run("ip", "-n", namespace, "route", "add", "default", "dev", "eth0");
    const probe = await DhcpProbe.start(namespace);
    const offers: number[] = [];
    const answers: number[] = [];
    const waits: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const mac = `fa:16:3e:${(size >> 8).toString(16).padStart(2, "0")}:ee:${round.toString(16).padStart(2, "0")}`;
      const offer = probe.ask(mac, { want: "offer", timeoutMs: 10_000, everyMs: 2 });
      const sentAt = process.hrtime.bigint();
      await client.create("port", { network_id: network.id, mac_address: mac });
      const answeredAt = process.hrtime.bigint();
      const answer = await offer;
      if (answer.answer !== "offer") throw new Error(`no OFFER for ${mac}`);
      offers.push(Number(answer.atNs - sentAt) / 1e6);
      answers.push(Number(answeredAt - sentAt) / 1e6);
      waits.push(Math.max(0, Number(answer.atNs - answeredAt) / 1e6));
    }
    await probe.close();
    client.close();
    return {
      ports: size,
      rounds,
      "offer p50 ms": percentile(offers, 50),
      "offer p95 ms": percentile(offers, 95),
      "offer max ms": Math.max(...offers),
      "API answer p50 ms": percentile(answers, 50),
      "from API answer p50 ms": percentile(waits, 50),
      "from API answer p99 ms": percentile(waits, 99),
    };
  } finally {
    await netloom(["--url", up.url, "port", "unplug", instance.id, "--state-dir", up.stateDir]);
    run("ip", "netns", "del", namespace);
  }
}

const up = await NetloomUp.create();
const rows: Row[] = [];
try {
  await up.start();
  rows.push(await measure(up, 10));
  rows.push(await measure(up, 1000));
} finally {
  await up.destroy();
}
report("port-to-offer", rows);
