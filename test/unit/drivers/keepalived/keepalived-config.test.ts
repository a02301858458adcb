import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NetloomError } from "../../../../src/base/errors.ts";
import { formatHookFile, formatKeepalivedConfig } from "../../../../src/drivers/keepalived/keepalived-config.ts";
import type { HaPlan } from "../../../../src/drivers/router-ha.ts";
import { routerId } from "../../../../src/model/ids.ts";

const files = { hookScript: "/opt/hook", hookFile: "/state/hook", stateFile: "/state/word" };

const plan: HaPlan = {
  routerId: routerId("0dd91a4b-3c66-4f0a-9f9c-3d0c7b3c1111"),
  namespace: "qrouter-0dd91a4b-3c66-4f0a-9f9c-3d0c7b3c1111",
  device: "ha-11111111-22",
  vrId: 7,
  priority: 50,
  addresses: [
    { device: "qr-aaaaaaaa-bb", cidr: "10.0.0.1/24" },
    { device: "qr-aaaaaaaa-bb", cidr: "fe80::a9fe:a9fe/64" },
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
  test("L3-73, L3-89: addresses, link-local ones too, and routes belong to the primary, and none of them is watched", () => {
    const lines = formatKeepalivedConfig(plan, files, 1000)
      .split("\n")
      .map((line) => line.trim());

    for (const line of [
      "virtual_router_id 7",
      "nopreempt",
      "advert_int 1.00",
      'notify "/opt/hook /state/hook /state/word"',
      "169.254.0.7/24 dev ha-11111111-22",
      "10.0.0.1/24 dev qr-aaaaaaaa-bb no_track",
      "fe80::a9fe:a9fe/64 dev qr-aaaaaaaa-bb no_track",
      "0.0.0.0/0 via 203.0.113.254 dev qg-cccccccc-dd protocol static no_track",
      "198.51.100.0/24 dev qg-cccccccc-dd scope link protocol static no_track",
      "192.0.2.0/24 protocol static no_track nexthop via 10.0.0.8 nexthop via 10.0.0.9",
    ])
      assert.ok(lines.includes(line), line);
  });

  test("braces are balanced, and a router without ports needs no empty blocks", () => {
    const text = formatKeepalivedConfig({ ...plan, addresses: [], routes: [] }, files, 250);

    assert.equal(text.split("{").length, text.split("}").length);
    assert.ok(!text.includes("virtual_routes") && text.includes("advert_int 0.25"));
  });

  const gateway = "10.0.0.8\n}\nnotify /bin/sh";
  const bad: Readonly<Record<string, HaPlan>> = {
    "an address": { ...plan, addresses: [{ device: "qr-a", cidr: "10.0.0.1 dev lo/24" }] },
    "an address with a zone": { ...plan, addresses: [{ device: "qr-a", cidr: "fe80::1%{}/64" }] },
    "a device": { ...plan, addresses: [{ device: "qr-a }", cidr: "10.0.0.1/24" }] },
    "a next hop": { ...plan, routes: [{ destination: "192.0.2.0/24", nextHops: [{ gateway }] }] },
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
  test("it names who to look for, what to set in which state, and who announces", () => {
    assert.equal(
      formatHookFile(plan),
      [
        "address 169.254.0.7",
        "set net/ipv4/conf/qg-cccccccc-dd/arp_ignore 0 8",
        "announce qg-cccccccc-dd fa:16:3e:00:00:01",
        "",
      ].join("\n"),
    );
  });

  test("a setting elsewhere than below net/ is refused", () => {
    const settings = [{ name: "net/../kernel/panic", primary: 1, backup: 0 }];
    assert.throws(() => formatHookFile({ ...plan, settings }), invalid);
  });
});
