import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTable } from "../../../../src/drivers/nft-floating-ip/nft-lines.ts";

/** As nft lists a router's table, with protocols as this host has them. */
const listed = (tcp: string | number, icmp: string | number): string =>
  JSON.stringify({
    nftables: [
      { metainfo: { version: "1.0.6" } },
      { map: { name: "fip_in", elem: [["203.0.113.5", "10.0.0.5"]] } },
      { map: { name: "pf", elem: [[{ concat: ["203.0.113.6", tcp, 6] }, { concat: ["10.0.0.6", 17] }]] } },
      { set: { name: "pf_back_range", elem: [{ concat: ["203.0.113.6", tcp, "10.0.0.6", { range: [17, 19] }] }] } },
      { map: { name: "pf_icmp", elem: [[{ concat: ["203.0.113.7", icmp] }, "10.0.0.7"]] } },
      { set: { name: "somebody_else", elem: ["10.0.0.1"] } },
    ],
  });

test("elements are the same whether nft tells protocols by name or, without /etc/protocols, by number", () => {
  const byName = parseTable(listed("tcp", "icmp"));

  assert.deepEqual(
    [...byName].map(([name, elements]) => [name, ...elements]),
    [
      ["fip_in", ["203.0.113.5", "10.0.0.5"]],
      ["pf", ["203.0.113.6 . tcp . 6", "10.0.0.6 . 17"]],
      ["pf_back_range", ["203.0.113.6 . tcp . 10.0.0.6 . 17-19", ""]],
      ["pf_icmp", ["203.0.113.7 . icmp", "10.0.0.7"]],
    ],
  );
  assert.deepEqual(parseTable(listed(6, 1)), byName);
});
