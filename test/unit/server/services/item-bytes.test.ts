import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mostBytes } from "../../../../src/server/services/item-bytes.ts";
import type { FixedIpRow } from "../../../../src/server/store/rows.ts";
import { portItem, type PortItemRow } from "../../../../src/server/store/stream-items.ts";

const id = "11111111-2222-4333-8444-555555555555";
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value)) + 1;

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 255 }),
  fc.string({ unit: fc.constantFrom("\u0000", "\\", '"', "ü", "字", "\ud800", "\u007f", "a"), maxLength: 255 }),
);
const options = fc.array(fc.record({ opt_name: text, opt_value: text, ip_version: fc.constantFrom(4, 6) }), { maxLength: 3 });
const address = fc.constantFrom("10.0.0.1", "255.255.255.255", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

const row: fc.Arbitrary<PortItemRow> = fc.record({
  id: fc.constant(id),
  network_id: fc.constant(id),
  project_id: text,
  mac_address: fc.constant("fa:16:3e:00:00:01"),
  device_id: text,
  device_owner: text,
  admin_state_up: fc.constantFrom(0, 1),
  extra_dhcp_opts: options.map((list) => JSON.stringify(list)),
  dns_name: text,
  binding_host_id: text,
  revision_number: fc.constantFrom(0, Number.MAX_SAFE_INTEGER),
});

test("an item never has more bytes than it is said to have, whatever is in it", () => {
  fc.assert(
    fc.property(row, fc.array(address, { maxLength: 4 }), (port, addresses) => {
      const fixedIps = addresses.map((ip_address, position) => ({ subnet_id: id, ip_address, position }) as FixedIpRow);
      const item = portItem(port, fixedIps);
      assert.ok(mostBytes(item) >= bytesOf(item), `${mostBytes(item)} < ${bytesOf(item)}`);
    }),
    { numRuns: 300 },
  );
});

test("for the usual port it is said at most a third too large", () => {
  const port = {
    ...{ id, network_id: id, project_id: "0123456789abcdef0123456789abcdef", mac_address: "fa:16:3e:00:00:01" },
    ...{ device_id: id, device_owner: "compute:nova", admin_state_up: 1 as const, extra_dhcp_opts: "[]" },
    ...{ dns_name: "web-1", binding_host_id: "node-1", revision_number: 3 },
  };
  const item = portItem(port, [{ subnet_id: id, ip_address: "10.0.0.17", position: 0 }]);
  assert.ok(mostBytes(item) < bytesOf(item) * 1.34, `${mostBytes(item)} for ${bytesOf(item)}`);
});
