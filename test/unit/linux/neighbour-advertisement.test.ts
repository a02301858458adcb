import assert from "node:assert/strict";
import { test } from "node:test";
import { neighbourAnnouncement } from "../../../src/linux/neighbour-advertisement.ts";

test("a neighbour advertisement says the address, its link, and that it overrides; its sum is right", () => {
  const frame = neighbourAnnouncement("fa:16:3e:00:0a:ff", "2001:db8:1::1");

  const address = "20010db8000100000000000000000001";
  const everybody = "ff020000000000000000000000000001";
  const sum = frame.subarray(56, 58).toString("hex");
  assert.deepEqual(
    frame.toString("hex"),
    [
      ...["333300000001", "fa163e000aff", "86dd"],
      ...["60000000", "0020", "3a", "ff", address, everybody],
      ...["8800", sum, "a0000000", address, "0201", "fa163e000aff"],
    ].join(""),
  );
  // With its own sum the whole adds up to nothing.
  const covered = Buffer.concat([frame.subarray(22, 54), Buffer.from("000000200000003a", "hex"), frame.subarray(54)]);
  let total = 0;
  for (let at = 0; at < covered.length; at += 2) total += covered.readUInt16BE(at);
  assert.equal((total & 0xffff) + (total >> 16), 0xffff);
});
