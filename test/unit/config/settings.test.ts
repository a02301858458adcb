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
  const file = await yamlFile(context, "dhcp:\n  lease_seconds: 100\n  dns_domain: file.example\n  dns_servers: [192.0.2.1]\n");
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
