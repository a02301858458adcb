import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { canonicalAddress, isInCidr, netmaskOf, parseCidr } from "../../../src/linux/addresses.ts";
import type { CommandRunner } from "../../../src/linux/command-runner.ts";
import { ipLine, parseRoutes, readDeviceNames, runIpBatch } from "../../../src/linux/ip.ts";
import { namespacePath } from "../../../src/linux/netns.ts";

describe("a line for ip -batch", () => {
  test("is made of words", () => {
    assert.equal(ipLine("link", "set", "tap0", "mtu", 1400), "link set tap0 mtu 1400");
  });

  for (const word of ["a b", "a\nb", "", "a;b", "$(x)", "a\\", "#"]) {
    test(`refuses the word ${JSON.stringify(word)}`, () => {
      assert.throws(() => ipLine("link", "set", word), { code: "INVALID" });
    });
  }

  test("that fails is named in the error, with ip's own words", async () => {
    const stderr = "RTNETLINK answers: File exists\nCommand failed -:2\n";
    const runner: CommandRunner = { run: async () => ({ exitCode: 1, stdout: "", stderr }) };

    await assert.rejects(runIpBatch(runner, ["link add a", "link add b"]), {
      code: "COMMAND_FAILED",
      message: '"ip link add b" failed: RTNETLINK answers: File exists',
    });
  });

  test("no line needs no child", async () => {
    const runner: CommandRunner = { run: async () => assert.fail("a child was started") };

    await runIpBatch(runner, []);
  });
});

test("routes read from ip have the kernel's spelling of the default route", () => {
  const routes = parseRoutes('[{"dst":"default","gateway":"10.0.0.1","dev":"ns-1","protocol":"static","flags":[]}]', 4);

  assert.deepEqual(routes, [{ destination: "0.0.0.0/0", gateway: "10.0.0.1", device: "ns-1", isStatic: true }]);
});

test("the loopback device is seen without a child", () => {
  assert.ok(readDeviceNames().has("lo"));
});

test("names that could leave the directory of namespaces are refused", () => {
  for (const name of ["../x", "", ".hidden", "a/b", "a b"]) assert.throws(() => namespacePath(name), { code: "INVALID" });
  assert.equal(namespacePath("qdhcp-1"), "/run/netns/qdhcp-1");
});

test("address arithmetic", () => {
  assert.equal(netmaskOf(0), "0.0.0.0");
  assert.equal(netmaskOf(20), "255.255.240.0");
  assert.equal(netmaskOf(32), "255.255.255.255");
  assert.equal(canonicalAddress("2001:0db8:0::0:5"), "2001:db8::5");
  assert.equal(isInCidr("10.0.0.0/24", "10.0.0.255"), true);
  assert.equal(isInCidr("10.0.0.0/24", "10.0.1.0"), false);
  assert.equal(isInCidr("10.0.0.0/24", "::1"), false);
  for (const text of ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", "10.0.0.0/"]) {
    assert.throws(() => parseCidr(text), { code: "INVALID" });
  }
});
