import assert from "node:assert/strict";
import { test } from "node:test";
import { loadDhcpAgentConfig } from "../../../src/config/dhcp-agent-config.ts";
import { loadFloatingIpAgentConfig } from "../../../src/config/floating-ip-agent-config.ts";
import { loadServerConfig } from "../../../src/config/server-config.ts";
import { loadUpConfig } from "../../../src/config/up-config.ts";
import { dhcpAgentArguments, floatingIpAgentArguments, serverArguments } from "../../../src/up/program-arguments.ts";

const nats = { url: "nats://127.0.0.1:4333", seedFile: "/keys/x.nk" };
const flags = [
  ...["--host", "node-1", "--state-dir", "/state", "--listen", "[::1]:9700", "--db", "sqlite:/x.db", "--log-level", "debug"],
  ...[
    "--namespace-prefix",
    "a-",
    "--availability-zone",
    "zone",
    "--dhcp-lease-seconds=-1",
    "--dhcp-dns-domain=cloud.example",
    "--dhcp-dns-servers",
    "192.0.2.1,::1",
    "--dhcp-local-resolv",
    "--dhcp-txt-record=about.cloud,two words",
    "--dhcp-bridge-aliases=tap*,veth0",
  ],
];

test("the programs understand what up was told", async () => {
  const up = await loadUpConfig(flags, {});

  const server = await loadServerConfig(serverArguments(up, nats), {});
  const agent = await loadDhcpAgentConfig(dhcpAgentArguments(up, nats), {});

  assert.deepEqual(
    {
      host: server.host,
      stateDir: server.stateDir,
      listen: server.listen,
      db: server.db,
      nats: server.nats,
      logLevel: server.logLevel,
    },
    {
      host: "node-1",
      stateDir: "/state",
      listen: { address: "::1", port: 9700 },
      db: "sqlite:/x.db",
      nats: { url: nats.url, nkeySeedFile: nats.seedFile },
      logLevel: "debug",
    },
  );
  assert.equal(server.dhcp.dnsDomain, "cloud.example");
  assert.equal(agent.namespacePrefix, "a-");
  assert.equal(agent.availabilityZone, "zone");
  assert.deepEqual(agent.dhcp, up.dhcp);
  assert.equal(agent.dhcp.leaseSeconds, -1);
  assert.equal(agent.dhcp.dnsDomain, "cloud.example");
  assert.deepEqual(agent.dhcp.dnsServers, ["192.0.2.1", "::1"]);
  assert.equal(agent.dhcp.localResolv, true);
  assert.equal(agent.dhcp.authoritative, false);
  assert.equal(agent.dhcp.txtRecord, "about.cloud,two words");
  assert.deepEqual(agent.dhcp.bridgeAliases, ["tap*", "veth0"]);
});

test("empty texts and lists reach the programs as empty", async () => {
  const up = await loadUpConfig(["--dhcp-dns-domain="], {});

  const agent = await loadDhcpAgentConfig(dhcpAgentArguments(up, { ...nats, seedFile: undefined }), {});

  assert.equal(agent.dhcp.dnsDomain, "");
  assert.deepEqual(agent.dhcp.dnsServers, []);
  assert.equal(agent.nats.nkeySeedFile, undefined);
});

test("the floating IP agent understands what up was told", async () => {
  const up = await loadUpConfig(flags, {});

  const agent = await loadFloatingIpAgentConfig(floatingIpAgentArguments(up, nats), {});

  const { host, stateDir, namespacePrefix, availabilityZone, logLevel } = agent;
  assert.deepEqual([host, stateDir, namespacePrefix, availabilityZone, logLevel], ["node-1", "/state", "a-", "zone", "debug"]);
  assert.deepEqual(agent.nats, { url: nats.url, nkeySeedFile: nats.seedFile });
});
