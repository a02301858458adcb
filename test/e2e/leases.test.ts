// A lease on its whole way: a real client, dnsmasq, the bus, the agent, the server, the command line.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { runDhcpClient } from "../helpers/dhcp-client.ts";
import { createInstance, findProcessesOf } from "../helpers/instance.ts";
import { skipWithoutRoot } from "../helpers/namespaces.ts";
import { NetloomUp, netloom } from "../helpers/netloom-up.ts";
import { waitFor } from "../helpers/wait-for.ts";

type Row = Readonly<Record<string, unknown>>;

suite("leases", { skip: skipWithoutRoot }, () => {
  for (const mode of ["bus", "script"] as const) {
    test(`by ${mode}: a client's lease is listed, filtered and shown, and goes with its port`, async (context) => {
      const up = await NetloomUp.create([`--dhcp-lease-events=${mode}`]);
      context.after(() => up.destroy());
      await up.start();
      const instance = await createInstance(up, "one");
      context.after(() => instance.remove());
      const run = async (...args: readonly string[]) => netloom(["--url", up.url, "-o", "json", "lease", ...args]);
      const rows = async (...args: readonly string[]): Promise<readonly Row[]> => {
        const result = await run("list", ...args);
        assert.equal(result.exitCode, 0, result.stderr);
        return JSON.parse(result.stdout) as readonly Row[];
      };

      const answer = await runDhcpClient(instance.namespace, "eth0");
      const [lease] = await waitFor(async () => ((found) => found.length > 0 && found)(await rows()), {
        limitMs: 10_000,
        what: "the lease",
      });

      assert.ok(lease !== undefined);
      assert.equal((await findProcessesOf(up.stateDir, "dbus-daemon")).length, mode === "bus" ? 1 : 0);
      assert.equal(lease["ip_address"], answer?.ipAddress);
      assert.equal(lease["mac_address"], instance.port["mac_address"]);
      assert.equal(lease["port_id"], instance.port.id);
      assert.equal(lease["host"], up.host);
      const mac = String(lease["mac_address"]);
      assert.equal((await rows("--network", "one", "--mac", mac, "--host", up.host, "--sort", "expires_at:desc")).length, 1);
      assert.deepEqual(await rows("--host", "another"), []);
      assert.deepEqual(await rows("--ip", "10.77.0.250"), []);
      const shown = await run("show", String(lease["id"]));
      assert.deepEqual(JSON.parse(shown.stdout), lease);
      assert.notEqual((await run("show", "nothing")).exitCode, 0);

      const client = up.client();
      await client.remove("port", instance.port.id);
      client.close();
      await waitFor(async () => (await rows()).length === 0, { limitMs: 10_000, what: "the lease to go" });
    });
  }
});
