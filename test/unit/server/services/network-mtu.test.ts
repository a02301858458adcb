import assert from "node:assert/strict";
import { test } from "node:test";
import { checkMtuFits, computedMtu } from "../../../../src/server/services/network-mtu.ts";
import { defaultNetworkSettings, type NetworkSettings } from "../../../../src/server/services/network-settings.ts";
import { assertFault } from "../../../helpers/faults.ts";

const carrier = (network_type: string, physical_network: string | null = null) => ({
  network_type,
  physical_network,
  segmentation_id: 7,
});
const settings = (changes: Partial<NetworkSettings>): NetworkSettings => ({ ...defaultNetworkSettings, ...changes });
const big = settings({ physicalMtuBytes: 9000, physicalNetworkMtus: [{ physicalNetwork: "blue", mtuBytes: 4000 }] });

const cases: readonly [NetworkSettings, readonly ReturnType<typeof carrier>[], number][] = [
  [defaultNetworkSettings, [carrier("local")], 1500],
  [defaultNetworkSettings, [], 1500],
  [defaultNetworkSettings, [carrier("flat", "blue")], 1500],
  [defaultNetworkSettings, [carrier("vxlan")], 1450],
  [settings({ overlayIpVersion: 6 }), [carrier("vxlan")], 1430],
  [settings({ pathMtuBytes: 1400 }), [carrier("vxlan")], 1350],
  [settings({ pathMtuBytes: 1400 }), [carrier("vlan", "blue")], 1500],
  [big, [carrier("vlan", "blue")], 4000],
  [big, [carrier("vlan", "red")], 9000],
  [big, [carrier("vxlan"), carrier("vlan", "blue")], 4000],
  [settings({ physicalMtuBytes: 9000, pathMtuBytes: 1500 }), [carrier("vxlan"), carrier("flat", "blue")], 1450],
];

test("the MTU is what the smallest carrier leaves", () => {
  for (const [given, carriers, expected] of cases)
    assert.equal(computedMtu(carriers, given), expected, JSON.stringify(carriers));
});

test("a larger MTU is refused where there is a carrier that limits it", async () => {
  checkMtuFits(9000, [carrier("local")], defaultNetworkSettings);
  checkMtuFits(1450, [carrier("vxlan")], defaultNetworkSettings);
  const check = async () => checkMtuFits(1451, [carrier("vxlan"), carrier("local")], defaultNetworkSettings);
  await assertFault(check(), "InvalidInput", /maximum is 1450/);
});
