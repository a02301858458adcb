import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { filterLeaseFile, parseLeaseLine, parseLeases } from "../../../src/linux/dnsmasq-leases.ts";

describe("dnsmasq's lease file", () => {
  const text = [
    "1700000000 fa:16:3e:00:00:01 10.0.0.5 web 01:fa:16:3e:00:00:01",
    "0 fa:16:3e:00:00:02 10.0.0.6 * *",
    "duid 00:01:00:01:2b:3c:4d:5e:fa:16:3e:00:00:09",
    "1700000000 12345 2001:db8::5 web 00:03:00:01:fa:16:3e:00:00:01",
    "1700000000 T12345 [2001:db8::6] * 00:01:00:01:2b:3c:4d:5e:fa:16:3e:00:00:02",
    "",
  ].join("\n");

  test("DA-163: is read line by line, addresses of both versions, the server's own line aside", () => {
    const leases = parseLeases(text);

    assert.deepEqual(
      leases.map(({ ipAddress, macAddress, hostname, expiresAtMs }) => [ipAddress, macAddress, hostname, expiresAtMs]),
      [
        ["10.0.0.5", "fa:16:3e:00:00:01", "web", 1_700_000_000_000],
        ["10.0.0.6", "fa:16:3e:00:00:02", null, null],
        ["2001:db8::5", "fa:16:3e:00:00:01", "web", 1_700_000_000_000],
        ["2001:db8::6", "fa:16:3e:00:00:02", null, 1_700_000_000_000],
      ],
    );
  });

  for (const line of [
    "",
    "garbage",
    "1700000000 fa:16:3e:00:00:01 10.0.0.5",
    "x fa:16:3e:00:00:01 10.0.0.5 * *",
    "0 fa:16 10.0.0.5 * *",
    "0 fa:16:3e:00:00:01 10.0.0.500 * *",
  ]) {
    test(`DA-163: a line that makes no sense is skipped: ${JSON.stringify(line)}`, () => {
      assert.equal(parseLeaseLine(line), undefined);
      assert.equal(parseLeases(`${line}\n${text}`).length, 4);
    });
  }

  test("is filtered without losing the server's identity or a byte of what stays", () => {
    const kept = filterLeaseFile(text, (lease) => lease.ipAddress !== "10.0.0.6" && lease.ipAddress !== "2001:db8::6");

    assert.deepEqual(kept.split("\n"), [text.split("\n")[0], text.split("\n")[2], text.split("\n")[3], ""]);
  });
});
