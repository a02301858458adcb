import assert from "node:assert/strict";
import { test } from "node:test";
import { readNetworkKeys } from "../../../src/config/network-keys.ts";
import { loadServerConfig } from "../../../src/config/server-config.ts";
import { loadUpConfig } from "../../../src/config/up-config.ts";
import { serverArguments } from "../../../src/up/program-arguments.ts";

const nats = { url: "nats://127.0.0.1:4333", seedFile: "/keys/x.nk" };

test("networks are local when nobody says otherwise", async () => {
  const { network } = await loadServerConfig(["--nats-url", nats.url], {});

  assert.deepEqual(readNetworkKeys(network), {
    tenantTypes: ["local"],
    vlanRanges: [],
    vxlanRanges: [],
    physicalMtuBytes: 1500,
    physicalNetworkMtus: [],
    pathMtuBytes: 0,
    overlayIpVersion: 4,
  });
});

test("what up is told of the wires reaches the server", async () => {
  const up = await loadUpConfig(
    [
      ...["--state-dir", "/state", "--network-tenant-types=vxlan,vlan", "--network-vlan-ranges=blue:1:9,blue:20:29,red:1:4094"],
      ...["--network-vxlan-ranges=1:1000", "--network-physical-network-mtus=blue:9000", "--network-overlay-ip-version=6"],
    ],
    {},
  );

  const { network } = await loadServerConfig(serverArguments(up, nats), {});

  assert.deepEqual(readNetworkKeys(network), {
    tenantTypes: ["vxlan", "vlan"],
    vlanRanges: [
      { physicalNetwork: "blue", minimum: 1, maximum: 9 },
      { physicalNetwork: "blue", minimum: 20, maximum: 29 },
      { physicalNetwork: "red", minimum: 1, maximum: 4094 },
    ],
    vxlanRanges: [{ minimum: 1, maximum: 1000 }],
    physicalMtuBytes: 1500,
    physicalNetworkMtus: [{ physicalNetwork: "blue", mtuBytes: 9000 }],
    pathMtuBytes: 0,
    overlayIpVersion: 6,
  });
});

const refused: readonly [string, RegExp][] = [
  ["--network-vlan-ranges=blue", /network\.vlan_ranges.*must be <physical network>:<first>:<last>/],
  ["--network-vlan-ranges=blue:0:9", /from 1 to 4094/],
  ["--network-vlan-ranges=blue:9:1", /from 1 to 4094/],
  ["--network-vlan-ranges=blue:1:4095", /from 1 to 4094/],
  ["--network-vlan-ranges=blue:1:9,blue:9:10", /must not overlap/],
  ["--network-vxlan-ranges=1:16777216", /from 1 to 16777215/],
  ["--network-vxlan-ranges=1:9,2:3", /must not overlap/],
  ["--network-tenant-types=flat", /must be one of local, vlan, vxlan/],
  ["--network-tenant-types=", /network\.tenant_types/],
  ["--network-overlay-ip-version=5", /must be 4 or 6/],
  ["--network-physical-network-mtus=blue:99999", /at most 65535/],
];

test("what makes no sense is refused by name", async () => {
  for (const [flag, why] of refused) {
    await assert.rejects(loadServerConfig(["--nats-url", nats.url, flag], {}), why, flag);
  }
});
