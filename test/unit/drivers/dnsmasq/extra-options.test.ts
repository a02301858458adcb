import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildPortOptions } from "../../../../src/drivers/dnsmasq/extra-options.ts";
import { describeNotes } from "../../../../src/drivers/dnsmasq/notes.ts";
import type { ExtraDhcpOption } from "../../../../src/model/network.ts";
import { makeNetwork, makePort, makeSubnet } from "../../../helpers/dhcp-network.ts";

const network = makeNetwork();
const four = makeSubnet(network);
const six = makeSubnet(network, { cidr: "2001:db8::/64", ipVersion: 6, gatewayIp: null });
type Given = readonly [optName: string, optValue: string, ipVersion?: 4 | 6];

const toOptions = (options: readonly Given[]): readonly ExtraDhcpOption[] =>
  options.map(([optName, optValue, ipVersion = 4]) => ({ optName, optValue, ipVersion }));

function told(...options: readonly Given[]): readonly string[] {
  const port = makePort([four, six], ["10.20.0.5", "2001:db8::5"], { extraDhcpOpts: toOptions(options) });
  return buildPortOptions(port).lines.map((line) => line.replace(port.id, "PORT"));
}

describe("options of a port", () => {
  test("DA-145: by name, by number, and by the number where only some servers know the name", () => {
    assert.deepEqual(
      told(["bootfile-name", "pxelinux.0"], ["150", "10.0.0.9"], ["server-ip-address", "10.0.0.8"], ["210", "/x/"]),
      [
        "tag:port-PORT,150,10.0.0.9",
        "tag:port-PORT,210,/x/",
        "tag:port-PORT,option:bootfile-name,pxelinux.0",
        "tag:port-PORT,option:server-ip-address,10.0.0.8",
      ],
    );
    assert.deepEqual(told(["ipv6-only", "300"], ["option:ntp-server", "10.0.0.9"]), [
      "tag:port-PORT,108,300",
      "tag:port-PORT,option:ntp-server,10.0.0.9",
    ]);
  });

  test("DA-145: of several ports, the same or different, hang on a tag of each", () => {
    const pxe = toOptions([
      ["bootfile-name", "pxelinux.0"],
      ["tftp-server", "10.0.0.9"],
    ]);
    const ports = [pxe, pxe, toOptions([["bootfile-name", "other.0"]])].map((extraDhcpOpts, index) =>
      makePort([index < 2 ? four : six], [index < 2 ? `10.20.0.${index + 5}` : "2001:db8::5"], { extraDhcpOpts }),
    );

    const lines = ports.map((port) => buildPortOptions(port).lines);

    assert.deepEqual(lines[0], [
      `tag:port-${ports[0]?.id},option:bootfile-name,pxelinux.0`,
      `tag:port-${ports[0]?.id},option:tftp-server,10.0.0.9`,
    ]);
    assert.deepEqual(
      lines[1],
      lines[0].map((line) => line.replace(String(ports[0]?.id), String(ports[1]?.id))),
    );
    assert.deepEqual(lines[2], []);
  });

  test("DA-146: behind tags come after those without, because dnsmasq takes the last that fits", () => {
    assert.deepEqual(
      told(
        ["tag:ipxe,bootfile-name", "http://x/boot"],
        ["tag:!ipxe,tag:efi64,67", "ipxe.efi"],
        ["bootfile-name", "undionly.kpxe"],
      ),
      [
        "tag:port-PORT,option:bootfile-name,undionly.kpxe",
        "tag:port-PORT,tag:ipxe,option:bootfile-name,http://x/boot",
        "tag:port-PORT,tag:!ipxe,tag:efi64,67,ipxe.efi",
      ],
    );
  });

  test("DA-145: router and classless-static-route, by both its numbers, may be empty, and are lines without a value then", () => {
    assert.deepEqual(told(["router", ""], ["classless-static-route", ""], ["tag:ipxe,3", ""]), [
      "tag:port-PORT,249",
      "tag:port-PORT,option:classless-static-route",
      "tag:port-PORT,option:router",
      "tag:port-PORT,tag:ipxe,3",
    ]);
    assert.deepEqual(told(["249", "00"], ["121", ""]), ["tag:port-PORT,249", "tag:port-PORT,121", "tag:port-PORT,249,00"]);
    assert.deepEqual(told(["mtu", ""], ["router", "", 6], ["6", ""]), []);
  });

  test("DA-147: of IPv6 by name or number; names are those of IPv6", () => {
    assert.deepEqual(told(["dns-server", "2001:db8::1", 6], ["59", "http://x/boot", 6]), [
      "tag:port-PORT,option6:59,http://x/boot",
      "tag:port-PORT,option6:dns-server,2001:db8::1",
    ]);
    assert.deepEqual(told(["router", "2001:db8::1", 6]), []);
  });

  test("DA-147: for an IP version that the port has no address of are left out, and that is said", () => {
    const port = makePort([six], ["2001:db8::5"], { extraDhcpOpts: toOptions([["bootfile-name", "x"]]) });

    const { lines, notes } = buildPortOptions(port);

    assert.deepEqual(lines, []);
    assert.deepEqual(
      notes.map(({ level, portId }) => [level, portId]),
      [["info", port.id]],
    );
    assert.match(describeNotes(notes), /bootfile-name is for IPv4, of which it has no address/);
  });

  test("DA-133: the client-id is no option that is sent", () => {
    assert.deepEqual(told(["client-id", "abc"], ["61", "ff:1"]), []);
  });

  const bad: readonly Given[] = [
    ["bootfile-name", "x\ndhcp-script=/bin/evil"],
    ["bootfile-name", "x\rfoo"],
    ["bootfile-name", "x\0"],
    ["bootfile-name", 'a"b'],
    ["bootfile-name", "a #b"],
    ["bootfile-name", "y".repeat(256)],
    ["boot\nfile", "x"],
    ["tag:a b,mtu", "1400"],
    ["mtu", "much"],
    ["mtu", "70000"],
    ["router", "10.0.0"],
    ["60", "1,2"],
    ["121", "10.0.0.0/40,10.0.0.1"],
    ["53", "2"],
    ["nonsense", "x"],
    ["", "x"],
  ];
  for (const [name, value] of bad) {
    test(`DA-150: ${JSON.stringify(name)} = ${JSON.stringify(value.slice(0, 30))} is left out, with a warning, and nothing else is`, () => {
      const extraDhcpOpts = toOptions([
        [name, value],
        ["ntp-server", "10.0.0.9"],
      ]);
      const port = makePort([four], ["10.20.0.5"], { extraDhcpOpts });

      const { lines, notes } = buildPortOptions(port);

      assert.deepEqual(lines, [`tag:port-${port.id},option:ntp-server,10.0.0.9`]);
      assert.deepEqual(
        notes.map(({ level }) => level),
        ["warn"],
      );
    });
  }
});
