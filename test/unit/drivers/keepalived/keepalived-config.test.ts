import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NetloomError } from "../../../../src/base/errors.ts";
import { formatHookFile, formatKeepalivedConfig } from "../../../../src/drivers/keepalived/keepalived-config.ts";
import type { HaPlan } from "../../../../src/drivers/router-ha.ts";
import { routerId } from "../../../../src/model/ids.ts";

const files = { hookScript: "/opt/hook", hookFile: "/state/hook", stateFile: "/state/word" };

const macAddress = "fa:16:3e:00:00:02";

const plan: HaPlan = {
  routerId: routerId("0dd91a4b-3c66-4f0a-9f9c-3d0c7b3c1111"),
  namespace: "qrouter-0dd91a4b-3c66-4f0a-9f9c-3d0c7b3c1111",
  device: "ha-11111111-22",
  vrId: 7,
  priority: 50,
  addresses: [
    { device: "qr-aaaaaaaa-bb", macAddress, cidr: "10.0.0.1/24" },
    { device: "qr-aaaaaaaa-bb", macAddress, cidr: "fe80::a9fe:a9fe/64" },
  ],
  routes: [
    { destination: "0.0.0.0/0", nextHops: [{ gateway: "203.0.113.254", device: "qg-cccccccc-dd" }] },
    { destination: "198.51.100.0/24", nextHops: [{ device: "qg-cccccccc-dd" }] },
    { destination: "192.0.2.0/24", nextHops: [{ gateway: "10.0.0.8" }, { gateway: "10.0.0.9" }] },
  ],
  settings: [{ name: "net/ipv4/conf/qg-cccccccc-dd/arp_ignore", primary: 0, backup: 8 }],
  announcer: { device: "qg-cccccccc-dd", macAddress: "fa:16:3e:00:00:01" },
};

const invalid = (thrown: unknown): boolean => thrown instanceof NetloomError && thrown.code === "INVALID";

describe("keepalived.conf", () => {
  test("it elects, and that is all: nothing in it changes with interfaces and routes, or would go when it starts anew", () => {
    const text = formatKeepalivedConfig(plan, files, 1000);
    const lines = text.split("\n").map((line) => line.trim());

    for (const line of [
      "virtual_router_id 7",
      "nopreempt",
      "advert_int 1.00",
      'notify "/opt/hook /state/hook /state/word"',
      "169.254.0.7/24 dev ha-11111111-22",
    ])
      assert.ok(lines.includes(line), line);
    assert.equal(formatKeepalivedConfig({ ...plan, addresses: [], routes: [] }, files, 1000), text);
  });

  test("braces are balanced, and less than a second is written as such", () => {
    const text = formatKeepalivedConfig(plan, files, 250);

    assert.equal(text.split("{").length, text.split("}").length);
    assert.ok(text.includes("advert_int 0.25"));
  });

  const bad: Readonly<Record<string, HaPlan>> = {
    "the HA device": { ...plan, device: "ha-1\n" },
    "a number": { ...plan, vrId: 255 },
    "a priority": { ...plan, priority: 0.5 },
  };
  for (const [what, value] of Object.entries(bad)) {
    test(`${what} that could be read as something else is refused`, () => {
      assert.throws(() => formatKeepalivedConfig(value, files, 1000), invalid);
    });
  }

  test("paths that keepalived would take apart are refused", () => {
    assert.throws(() => formatKeepalivedConfig(plan, { ...files, hookFile: "/a b/hook" }, 1000), invalid);
    assert.throws(() => formatKeepalivedConfig(plan, { ...files, hookScript: '/a"b' }, 1000), invalid);
  });
});

describe("the hook's file", () => {
  test("L3-73, L3-89: addresses, link-local ones too, and routes belong to the primary, and to nobody else", () => {
    assert.equal(
      formatHookFile(plan, 1000),
      [
        "address 169.254.0.7",
        "hold ha-11111111-22 64.0 5",
        "set net/ipv4/conf/qg-cccccccc-dd/arp_ignore 0 8",
        "own qr-aaaaaaaa-bb fa:16:3e:00:00:02 10.0.0.1/24 0a000001",
        "own qr-aaaaaaaa-bb fa:16:3e:00:00:02 fe80::a9fe:a9fe/64 fe8000000000000000000000a9fea9fe",
        "route 0.0.0.0/0 proto static via 203.0.113.254 dev qg-cccccccc-dd",
        "route 198.51.100.0/24 proto static dev qg-cccccccc-dd",
        "route 192.0.2.0/24 proto static nexthop via 10.0.0.8 nexthop via 10.0.0.9",
        "announce qg-cccccccc-dd fa:16:3e:00:00:01",
        "",
      ].join("\n"),
    );
  });

  const gateway = "10.0.0.8\nroute flush all";
  const bad: Readonly<Record<string, HaPlan>> = {
    "a setting elsewhere than below net/": { ...plan, settings: [{ name: "net/../kernel/panic", primary: 1, backup: 0 }] },
    "an address": { ...plan, addresses: [{ device: "qr-a", macAddress, cidr: "10.0.0.1 dev lo/24" }] },
    "an address with a zone": { ...plan, addresses: [{ device: "qr-a", macAddress, cidr: "fe80::1%x/64" }] },
    "a device": { ...plan, addresses: [{ device: "qr-a up", macAddress, cidr: "10.0.0.1/24" }] },
    "a MAC": { ...plan, addresses: [{ device: "qr-a", macAddress: "fa:16", cidr: "10.0.0.1/24" }] },
    "a next hop": { ...plan, routes: [{ destination: "192.0.2.0/24", nextHops: [{ gateway }] }] },
    "the HA device": { ...plan, device: "ha-1\n" },
  };
  for (const [what, value] of Object.entries(bad)) {
    test(`${what} that could be read as something else is refused`, () => {
      assert.throws(() => formatHookFile(value, 1000), invalid);
    });
  }
});
