import assert from "node:assert/strict";
import { test } from "node:test";
import { buildQuery, dhcpOption, parseReply } from "../../helpers/dhcp-probe/packet.ts";

test("a query carries the MAC, the transaction and the broadcast flag where RFC 2131 puts them", () => {
  const packet = buildQuery({ type: "discover", mac: "fa:16:3e:01:02:03", transactionId: 0x01020304 });

  assert.equal(packet.readUInt32BE(4), 0x01020304);
  assert.equal(packet.readUInt16BE(10), 0x8000);
  assert.equal(packet.subarray(28, 34).toString("hex"), "fa163e010203");
});

test("a query is not taken for a reply", () => {
  const packet = buildQuery({ type: "discover", mac: "fa:16:3e:01:02:03", transactionId: 7 });

  assert.equal(parseReply(packet), undefined);
});

test("the options of a reply are found behind padding", () => {
  const packet = buildQuery({ type: "request", mac: "fa:16:3e:01:02:03", transactionId: 7, requestedAddress: "10.0.0.9" });
  packet.writeUInt8(2, 0);
  const padded = Buffer.concat([packet.subarray(0, 240), Buffer.from([0, 0]), packet.subarray(240)]);

  const reply = parseReply(padded);

  assert.equal(reply?.type, "request");
  assert.equal(reply?.mac, "fa:16:3e:01:02:03");
  assert.deepEqual([...(reply?.options.get(dhcpOption.requestedAddress) ?? [])], [10, 0, 0, 9]);
});

test("a truncated packet is no reply", () => {
  assert.equal(parseReply(Buffer.alloc(100, 2)), undefined);
});
