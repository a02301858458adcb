import assert from "node:assert/strict";
import { test } from "node:test";
import { loadDhcpAgentConfig } from "../../../src/config/dhcp-agent-config.ts";
import { loadUpConfig } from "../../../src/config/up-config.ts";
import { dhcpAgentArguments } from "../../../src/up/program-arguments.ts";

test("without settings no metadata are served, and the limits are those of the reference", async () => {
  const { metadata } = await loadDhcpAgentConfig([], {});

  assert.deepEqual(metadata, {
    isolated: false,
    force: false,
    metadataNetwork: false,
    timeoutSeconds: 60,
    requestsPerSecond: 20,
    requestBurst: 200,
    sockets: "auto",
  });
});

test("an upstream is a host or a socket, nothing else", async () => {
  for (const upstream of ["http://192.0.2.1:8775", "http://[2001:db8::1]:8775/", "unix:/run/metadata.sock"]) {
    assert.equal((await loadDhcpAgentConfig([`--metadata-upstream=${upstream}`], {})).metadata.upstream, upstream);
  }
  for (const upstream of ["192.0.2.1:8775", "unix:metadata.sock", "http://host/path", "ftp://host", "http://"]) {
    await assert.rejects(loadDhcpAgentConfig([`--metadata-upstream=${upstream}`], {}), { code: "INVALID" }, upstream);
  }
});

test("what `up` is told reaches the agent that it starts", async () => {
  const flags = [
    "--metadata-isolated",
    "--metadata-upstream=http://h:1",
    "--metadata-shared-secret-file=/s",
    "--metadata-sockets=child",
  ];
  const more = [
    "--metadata-force",
    "--metadata-metadata-network",
    "--metadata-requests-per-second=0.5",
    "--metadata-request-burst=3",
  ];
  const up = await loadUpConfig([...flags, ...more, "--metadata-timeout-seconds=7"], {});

  const agent = await loadDhcpAgentConfig(dhcpAgentArguments(up, { url: "nats://127.0.0.1:1", seedFile: undefined }), {});

  assert.deepEqual(agent.metadata, up.metadata);
  assert.equal(agent.metadata.isolated, true);
  assert.equal(agent.metadata.requestsPerSecond, 0.5);
});
