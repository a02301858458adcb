import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { dhcpAgentSchema, loadDhcpAgentConfig } from "../../../src/config/dhcp-agent-config.ts";
import { loadServerConfig } from "../../../src/config/server-config.ts";
import { listSettings } from "../../../src/config/settings.ts";
import { loadUpConfig } from "../../../src/config/up-config.ts";

async function yamlFile(context: TestContext, text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "netloom-config-"));
  context.after(() => rm(directory, { recursive: true }));
  const file = join(directory, "netloom.yaml");
  await writeFile(file, text);
  return file;
}

test("defaults are complete without a file, an environment or flags", async () => {
  const config = await loadServerConfig([], {});

  assert.deepEqual(config.listen, { address: "127.0.0.1", port: 9696 });
  assert.equal(config.db, "sqlite:/var/lib/netloom/netloom.db");
  assert.equal(config.nats.url, "nats://127.0.0.1:4222");
  assert.equal(config.dhcp.agentsPerNetwork, 1);
  assert.notEqual(config.host, "");
});

test("a flag wins over the environment, and that over the file", async (context) => {
  const file = await yamlFile(context, "dhcp:\n  lease_seconds: 130\n  dns_domain: file.example\n  dns_servers: [192.0.2.1]\n");
  const env = { NETLOOM_DHCP_LEASE_SECONDS: "200", NETLOOM_DHCP_DNS_DOMAIN: "env.example" };

  const config = await loadDhcpAgentConfig(["--config", file, "--dhcp-lease-seconds", "300"], env);

  const { leaseSeconds, dnsDomain, dnsServers } = config.dhcp;
  assert.deepEqual(
    { leaseSeconds, dnsDomain, dnsServers },
    {
      leaseSeconds: 300,
      dnsDomain: "env.example",
      dnsServers: ["192.0.2.1"],
    },
  );
});

test("lists and switches can be given as text", async () => {
  const env = { NETLOOM_DHCP_DNS_SERVERS: "192.0.2.1, 2001:db8::1", NETLOOM_FOREGROUND_LOGS: "yes" };

  const config = await loadUpConfig([], env);

  assert.deepEqual(config.dhcp.dnsServers, ["192.0.2.1", "2001:db8::1"]);
  assert.equal(config.foregroundLogs, true);
});

test("an unknown key is refused by its name and file", async (context) => {
  const file = await yamlFile(context, "dhcp:\n  lease_secs: 100\n");

  await assert.rejects(loadDhcpAgentConfig(["--config", file], {}), {
    code: "INVALID",
    message: `unknown key dhcp.lease_secs in ${file}`,
  });
});

test("a wrong value is refused with the place that it came from", async () => {
  const env = { NETLOOM_DHCP_LEASE_SECONDS: "soon" };

  await assert.rejects(loadDhcpAgentConfig([], env), /^NetloomError: dhcp\.lease_seconds \(NETLOOM_DHCP_LEASE_SECONDS\): /);
});

test("an unknown flag is refused", async () => {
  await assert.rejects(loadServerConfig(["--statedir", "/x"], {}), { code: "INVALID", message: "Unknown option '--statedir'" });
});

test("a file that cannot be read or parsed is one clear line", async (context) => {
  const broken = await yamlFile(context, "listen: [1\n");

  await assert.rejects(
    loadServerConfig(["--config", "/nonexistent/n.yaml"], {}),
    /cannot read settings from \/nonexistent\/n\.yaml: ENOENT/,
  );
  await assert.rejects(loadServerConfig(["--config", broken], {}), { code: "INVALID" });
});

test("an API without authentication is refused where others can reach it, unless forced", async () => {
  const open = ["--listen", "0.0.0.0:9696"];

  await assert.rejects(loadServerConfig(open, {}), /full control/);
  const forced = await loadServerConfig([...open, "--force-auth-none"], {});

  assert.equal(forced.listen.address, "0.0.0.0");
});

test("listen takes IPv6 in brackets and refuses anything that is not an address and a port", async () => {
  const config = await loadServerConfig(["--listen", "[::1]:0"], {});

  assert.deepEqual(config.listen, { address: "::1", port: 0 });
  for (const wrong of ["9696", "localhost:9696", "127.0.0.1:99999", "127.0.0.1"]) {
    await assert.rejects(loadServerConfig(["--listen", wrong], {}), { code: "INVALID" });
  }
});

test("the configuration cannot be changed after it was read", async () => {
  const config = await loadServerConfig([], {});

  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.nats) && Object.isFrozen(config.listen));
});

test("what goes to a command line of dnsmasq is checked", async () => {
  for (const flag of [
    "--dhcp-txt-record=no-text",
    "--dhcp-txt-record=a.b,x\ny",
    "--dhcp-bridge-aliases=tap*,a b",
    "--dhcp-dnsmasq-config-file=relative",
    "--dhcp-base-log-dir=logs",
    "--dhcp-lease-max=0",
    "--dhcp-dns-servers=dns.example",
  ]) {
    await assert.rejects(loadDhcpAgentConfig([flag], {}), { code: "INVALID" }, flag);
  }
});

test("every setting of the DHCP agent is described and has a default", () => {
  for (const setting of listSettings(dhcpAgentSchema).filter(({ path }) => path[0] === "dhcp")) {
    assert.notEqual(setting.description, "", setting.path.join("."));
    assert.notEqual(setting.defaultValue, undefined, setting.path.join("."));
  }
});

const refusals: readonly (readonly [argv: readonly string[], message: string])[] = [
  [["--concurrency=0"], "concurrency (--concurrency): must be at least 1"],
  [["--concurrency=-3"], "concurrency (--concurrency): must be at least 1"],
  [["--concurrency=1.5"], "concurrency (--concurrency): must be a whole number"],
  [["--concurrency=1e400"], "concurrency (--concurrency): must be a number"],
  [["--concurrency="], "concurrency (--concurrency): must be a number"],
  [["--concurrency=65"], "concurrency (--concurrency): must be at most 64"],
  [["--dhcp-agents-per-network=9e20"], "dhcp.agents_per_network (--dhcp-agents-per-network): must be at most 16"],
  [["--report-interval-ms=99999999999"], "report_interval_ms (--report-interval-ms): must be at most 604800000"],
  [["--interface-driver=ovs"], "interface_driver (--interface-driver): must be one of bridge, openvswitch"],
  [
    ["--dhcp-lease-seconds=60"],
    "dhcp.lease_seconds (--dhcp-lease-seconds): must be -1 (for ever) or from 120, the shortest that dnsmasq gives, to 4294967294",
  ],
  [
    ["--dhcp-lease-seconds", "-1"],
    "a value of --dhcp-lease-seconds that begins with a dash is given as --dhcp-lease-seconds=-…",
  ],
  [
    ["--dhcp-renewal-seconds=90000"],
    "dhcp.renewal_seconds (--dhcp-renewal-seconds): must be less than lease_seconds, which is 86400",
  ],
  [
    ["--dhcp-renewal-seconds=50", "--dhcp-rebinding-seconds=50"],
    "dhcp.renewal_seconds (--dhcp-renewal-seconds): must be less than rebinding_seconds, which is 50",
  ],
  [
    ["--dhcp-failover-after-ms=1000"],
    "dhcp.failover_after_ms (--dhcp-failover-after-ms): must not be less than agent_down_ms, which is 20000",
  ],
  [
    ["--dhcp-agent-down-ms=6000"],
    "report_interval_ms (default): must be at most half of dhcp.agent_down_ms, which is 6000: agents would look dead",
  ],
  [
    ["--fence-after-ms=4000"],
    "fence_after_ms (--fence-after-ms): must be 0 (never) or at least 15000, 3 times report_interval_ms: one lost heartbeat is none",
  ],
  [
    ["--resync-throttle-ms=70000"],
    "resync_throttle_ms (--resync-throttle-ms): must not be more than resync_interval_ms, which is 60000",
  ],
];

for (const [argv, message] of refusals) {
  test(`up refuses ${argv.join(" ")} in one line that says what it may be`, async () => {
    await assert.rejects(loadUpConfig(argv, {}), { code: "INVALID", message });
  });
}

test("what belongs together is taken: a long lease with its times, infinity with times of its own", async () => {
  const times = ["--dhcp-renewal-seconds=100", "--dhcp-rebinding-seconds=200"];

  assert.equal((await loadUpConfig([...times, "--dhcp-lease-seconds=201"], {})).dhcp.leaseSeconds, 201);
  assert.equal((await loadUpConfig([...times, "--dhcp-lease-seconds=-1"], {})).dhcp.leaseSeconds, -1);
  assert.equal((await loadUpConfig(["--fence-after-ms=40000"], {})).fenceAfterMs, 40_000);
});

test("up takes all of it from a file", async (context) => {
  const text =
    "interface_driver: openvswitch\novs:\n  bridge: br-x\nconcurrency: 3\ndhcp:\n  agents_per_network: 2\n  agent_down_ms: 30000\n";

  const config = await loadUpConfig(["--config", await yamlFile(context, text)], {});

  assert.deepEqual([config.interfaceDriver, config.ovs.bridge, config.concurrency], ["openvswitch", "br-x", 3]);
  assert.deepEqual([config.dhcp.agentsPerNetwork, config.dhcp.agentDownMs], [2, 30_000]);
  const wrong = await yamlFile(context, "concurrency: 0\n");
  await assert.rejects(loadUpConfig(["--config", wrong], {}), { message: `concurrency (${wrong}): must be at least 1` });
});
