// A network comes to this host from another one, with clients that hold leases which nobody here has heard of.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import type { Port } from "../../../../src/model/network.ts";
import { DhcpBench } from "../../../helpers/dhcp-bench.ts";
import { type RunningClient, startDhcpClient } from "../../../helpers/dhcp-client.ts";
import { makePort } from "../../../helpers/dhcp-network.ts";
import { skipWithoutRoot } from "../../../helpers/namespaces.ts";

describe("a network that is taken over", { skip: skipWithoutRoot }, () => {
  let bench: DhcpBench;
  let client: RunningClient | undefined;
  let port: Port;

  before(async () => {
    bench = await DhcpBench.create();
    port = makePort(bench.subnets, ["10.20.0.5"]);
    await bench.apply([port]);
    client = await startDhcpClient(await bench.plug(port.macAddress), "eth0");
  });
  after(async () => {
    await client?.close();
    await bench.close();
  });

  /** As on a host that has never served it. */
  async function startAnew(dhcpPort: Port): Promise<void> {
    await bench.newDriver().remove(bench.network.id);
    bench.driver = bench.newDriver();
    await bench.applyWith(dhcpPort, [port]);
  }

  test("DA-129: its clients' renewals are answered, because every address is taken for leased", async () => {
    await startAnew({ ...bench.dhcpPort, revision: 3 });

    assert.equal((await client?.renew())?.ipAddress, "10.20.0.5");
    assert.doesNotMatch(await readFile(bench.file("leases"), "utf8"), /^0 /m, "now it has an end");
  });

  test("without that there would be silence", async () => {
    await startAnew(bench.dhcpPort);

    assert.equal(await client?.renew(1500), undefined);
  });
});
