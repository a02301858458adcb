// Names, addresses and the configuration of the bus.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatBusConfig } from "../../../src/lease-bus/bus-config.ts";
import { busAddress, busNameOf, networkOfBusName } from "../../../src/lease-bus/bus-names.ts";
import { networkId } from "../../../src/model/ids.ts";

const id = networkId("0b7e4a4c-9f0e-4c53-8a9e-0d7d5f1c2a11");

describe("names on the lease bus", () => {
  test("a network's name leads back to it, and has no part that D-Bus forbids", () => {
    const name = busNameOf(id);

    assert.equal(networkOfBusName(name), id);
    assert.match(name, /^[a-z]+\.[a-z]+\.[a-z][a-z0-9]+$/);
  });

  test("names of others are no network's", () => {
    for (const name of [
      "",
      "netloom.lease",
      ":1.5",
      "org.freedesktop.DBus",
      `${busNameOf(id)}0`,
      busNameOf(id).toUpperCase(),
    ]) {
      assert.equal(networkOfBusName(name), undefined, name);
    }
  });

  test("what is special in an address is escaped", () => {
    assert.equal(busAddress("/var/lib/netloom/dhcp/lease_bus"), "unix:path=/var/lib/netloom/dhcp/lease_bus");
    assert.equal(busAddress("/a b;c,d=e%ä"), "unix:path=/a%20b%3bc%2cd%3de%25%c3%a4");
  });
});

describe("the configuration of the lease bus", () => {
  const config = {
    socketPath: "/s/dhcp/lease_bus",
    pidPath: "/s/dhcp/lease_bus.pid",
    serverUsers: ["nobody"],
    runAs: "messagebus",
  };

  test("nobody but root and dnsmasq's user may connect, and names are only ours", () => {
    const text = formatBusConfig(config);

    assert.match(text, /<deny user="\*"\/>\n\s*<allow user="root"\/>\n\s*<allow user="nobody"\/>\n/);
    assert.match(text, /<deny own="\*"\/>/);
    assert.equal(text.match(/own_prefix="netloom\.lease"/g)?.length, 2);
    assert.equal(text.match(/<policy user="nobody">.*<\/policy>/)?.[0].includes("send_type"), false);
    assert.match(text, /<listen>unix:path=\/s\/dhcp\/lease_bus<\/listen>/);
    assert.match(text, /<user>messagebus<\/user>/);
  });

  test("without a user for the bus none is named", () => {
    assert.doesNotMatch(formatBusConfig({ ...config, runAs: undefined }), /<user>/);
  });

  test("a path with letters that XML has for itself stays text", () => {
    const text = formatBusConfig({ ...config, pidPath: '/s/<&">/pid' });

    assert.match(text, /<pidfile>\/s\/&lt;&amp;&quot;&gt;\/pid<\/pidfile>/);
  });
});
