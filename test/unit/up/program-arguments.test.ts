import assert from "node:assert/strict";
import { test } from "node:test";
import { dhcpAgentSchema, loadDhcpAgentConfig } from "../../../src/config/dhcp-agent-config.ts";
import { loadFloatingIpAgentConfig } from "../../../src/config/floating-ip-agent-config.ts";
import { loadL3AgentConfig } from "../../../src/config/l3-agent-config.ts";
import { loadServerConfig, serverSchema } from "../../../src/config/server-config.ts";
import { listSettings, type Setting } from "../../../src/config/settings.ts";
import { loadUpConfig, upSchema } from "../../../src/config/up-config.ts";
import {
  dhcpAgentArguments,
  floatingIpAgentArguments,
  l3AgentArguments,
  programEnvironment,
  serverArguments,
} from "../../../src/up/program-arguments.ts";

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

/** A value that is allowed and is not the default. */
function otherValue({ path, kind, defaultValue }: Setting): string {
  const name = path.join(".");
  const known: Readonly<Record<string, string>> = {
    host: "node-9",
    stateDir: "/other",
    logLevel: "warn",
    "dhcp.scheduler": "chance",
    "dhcp.leaseEvents": "script",
    "dhcp.freezeShare": "0.7",
    "dhcp.dnsServers": "192.0.2.7",
    "dhcp.dnsmasqConfigFile": "/etc/d.conf",
    "dhcp.baseLogDir": "/var/log/d",
    "dhcp.txtRecord": "a.b,text",
    "dhcp.failoverAfterMs": "50000",
    "dhcp.rebindingSeconds": "2000",
    "dhcp.renewalSeconds": "1000",
    fenceAfterMs: "45000",
    "network.tenantTypes": "vxlan",
    "network.vlanRanges": "blue:1:9",
    "network.vxlanRanges": "1:9",
    "network.physicalNetworkMtus": "blue:9000",
    "network.overlayIpVersion": "6",
    interfaceDriver: "openvswitch",
    "ovs.database": "tcp:192.0.2.1:6640",
    "metadata.upstream": "http://192.0.2.1:8775",
    "metadata.sharedSecretFile": "/etc/secret",
    "metadata.sockets": "child",
    auth: "keystone",
    tokenFile: "/etc/tokens.json",
    "keystone.url": "http://192.0.2.1:5000",
    "keystone.publicUrl": "https://identity.example/v3",
    "keystone.passwordFile": "/etc/password",
    "api.linkPrefix": "https://cloud.example.org/network",
  };
  if (known[name] !== undefined) return known[name];
  if (kind === "number") return String(Number(defaultValue) + 1);
  return kind === "boolean" ? String(defaultValue !== true) : "x9";
}

const notFromUp = new Set(["nats.url", "nats.nkeySeedFile", "listen", "db", "stateDir"]);

test("whatever a server or an agent can be told, up can be told, and it arrives", async () => {
  const wanted = [...listSettings(serverSchema), ...listSettings(dhcpAgentSchema)].filter(
    ({ path }) => !notFromUp.has(path.join(".")),
  );
  const flagOf = (setting: Setting): string => {
    const flag = setting.path.map((key) => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).join("-");
    if (setting.kind === "boolean") return `--${otherValue(setting) === "true" ? "" : "no-"}${flag}`;
    return `--${flag}=${otherValue(setting)}`;
  };
  const up = await loadUpConfig([...new Set(wanted.map(flagOf))], {});
  const defaults = await loadUpConfig([], {});

  const server = await loadServerConfig(serverArguments(up, nats), {});
  const agent = await loadDhcpAgentConfig(dhcpAgentArguments(up, nats), {});

  const at = (config: unknown, path: readonly string[]): unknown =>
    path.reduce((value, key) => (value as Readonly<Record<string, unknown>>)[key], config);
  for (const { path } of listSettings(serverSchema)) {
    if (notFromUp.has(path.join("."))) continue;
    assert.notDeepEqual(at(server, path), at(defaults, path), `server: ${path.join(".")} stayed as it is by default`);
  }
  for (const { path } of listSettings(dhcpAgentSchema)) {
    if (notFromUp.has(path.join("."))) continue;
    assert.notDeepEqual(at(agent, path), at(defaults, path), `agent: ${path.join(".")} stayed as it is by default`);
  }
});

test("the other agents get what is for all, and keep numbers of their own", async () => {
  const up = await loadUpConfig(["--report-interval-ms=700", "--concurrency=30", "--interface-driver=openvswitch"], {});

  const l3 = await loadL3AgentConfig(l3AgentArguments(up, nats), {});
  const floatingIp = await loadFloatingIpAgentConfig(floatingIpAgentArguments(up, nats), {});

  assert.deepEqual([l3.reportIntervalMs, l3.interfaceDriver, l3.concurrency], [700, "openvswitch", 4]);
  assert.deepEqual([floatingIp.reportIntervalMs, floatingIp.concurrency], [700, 4]);
});

test("a left-over program is known by a word of its own", async () => {
  const up = await loadUpConfig(["--state-dir", "/state"], {});

  for (const argumentsOf of [serverArguments, dhcpAgentArguments, l3AgentArguments, floatingIpAgentArguments])
    assert.ok(argumentsOf(up, nats).includes("/state"));
});

test("programs do not read once more what up has read", () => {
  const env = { NETLOOM_CONFIG: "/up.yaml", NETLOOM_CONCURRENCY: "9", NETLOOM_NFT_PROCESSES: "7", PATH: "/bin" };

  assert.deepEqual(programEnvironment(env), { NETLOOM_NFT_PROCESSES: "7", PATH: "/bin" });
});

test("every setting of up is described", () => {
  for (const setting of listSettings(upSchema)) assert.ok(setting.description.length > 10, setting.path.join("."));
});
